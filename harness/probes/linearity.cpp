// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/linearity.h"

#include "harness/probes/exact_limits.h"
#include "harness/probes/numbers.h"
#include "harness/probes/running_sums.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace fathom::linearity_probe {
namespace {

using namespace probing;
using enum TensorName;

/// fp16 has few exponents: dO is put where neither dS nor its scaled twin underflows for long rows.
struct Powers {
  double v, dout_base, dout;
};
Powers powers_of(Dtype dtype) {
  return dtype == Dtype::f16 ? Powers{0x1p14, 8, 32} : Powers{0x1p20, 1, 0x1p20};
}

void scale_by(const Problem& problem, TensorSet& inputs, TensorName name, double factor) {
  if (inputs.find(name) == inputs.end()) return;
  rewrite(problem, inputs, name, [&](const RowAt&, std::span<double> x) {
    for (double& value : x) value *= factor;
  });
}

/// V in [1, 2), scaled; dO scaled; dLSE, which adds to dP, by both.
void write_inputs(const Problem& problem, TensorSet& inputs, double v, double dout) {
  rewrite(problem, inputs, TensorName::v, [&](const RowAt& at, std::span<double> x) {
    for (std::size_t c = 0; c < x.size(); ++c) {
      const std::uint32_t word = word_of(1, TensorName::v, at, static_cast<Index>(c)) >> 25;
      x[c] = v * (1 + static_cast<double>(word) / 128);
    }
  });
  scale_by(problem, inputs, TensorName::dout, dout);
  scale_by(problem, inputs, TensorName::dlse, v * dout);
}

Trial make_trial(const Case& c, std::string label, double v, double dout) {
  Trial trial{.label = std::move(label), .c = c, .edit = {}, .oracle = false};
  trial.c.fill = Fill::flat;
  trial.edit = [v, dout](const Problem& problem, TensorSet& inputs) {
    write_inputs(problem, inputs, v, dout);
  };
  return trial;
}

/// What an fp16 dS that is subnormal in one of the two answers may add to dQ or dK: half a smallest
/// step in each term, which may then flip roundings of partial sums.
class SubnormalSlack {
 public:
  SubnormalSlack(const Problem& problem, const TensorSet& inputs)
      : problem_(problem),
        keys_(problem, TensorName::k, inputs.at(TensorName::k)),
        queries_(problem, TensorName::q, inputs.at(TensorName::q)),
        scale_(std::max(1.0, std::abs(softmax_scale(problem)))) {}

  [[nodiscard]] double of(TensorName name, Index element) const {
    const ElementPlace at = place_of(problem_, name, element);
    const Sequence& s = problem_.sequences[static_cast<std::size_t>(at.sequence)];
    double terms = 0;
    if (name == TensorName::dv) return 0;
    if (name == TensorName::dq) {
      terms = keys_.sum(at.sequence, kv_head_of(problem_, at.head), {0, s.key_length}, at.channel)
                  .absolute;
    } else {
      const Index group = problem_.query_heads / problem_.kv_heads;
      for (Index h = at.head * group; h < (at.head + 1) * group; ++h) {
        terms += queries_.sum(at.sequence, h, {0, s.query_length}, at.channel).absolute;
      }
    }
    return 0x1p-24 * scale_ * terms;
  }

 private:
  const Problem& problem_;
  RunningSums keys_, queries_;
  double scale_;
};

struct Question {
  TensorName name;
  double factor;
  bool narrow;  ///< fp16 may hold terms or partial sums as subnormals, which do not scale.
};

Tally compare(const Outcome& base, const Outcome& scaled, const Question& question) {
  const Problem& problem = base.trial->c.problem;
  const Numbers one(problem, question.name, *given(*base.observation, question.name));
  const Numbers other(problem, question.name, *given(*scaled.observation, question.name));
  const bool f16 = problem.dtype == Dtype::f16;
  std::optional<SubnormalSlack> slack;
  if (f16 && question.narrow) slack.emplace(problem, *base.inputs);
  double largest = 0;
  for (const double x : one.values()) largest = std::max(largest, std::abs(x) * question.factor);
  Tally tally;
  for (std::size_t i = 0; i < one.values().size(); ++i) {
    const auto element = static_cast<Index>(i);
    const double want = one.values()[i] * question.factor;
    if (f16 && std::abs(want) > 65504.0 / 2) continue;
    double limit = 0;
    if (f16 && std::abs(one.values()[i]) <= 0x1p-14) {
      limit = 0x1p-25 * question.factor + ulp(problem.dtype, want) / 2;
    }
    if (slack) {
      limit = question.factor * (slack->of(question.name, element) + 0x1p-25) +
              4 * ulp(problem.dtype, largest);
    }
    tally.compare(element, other.values()[i], want, limit);
  }
  return tally;
}

bool same_bytes(const Outcome& a, const Outcome& b, TensorName name) {
  const Tensor* one = given(*a.observation, name);
  const Tensor* other = given(*b.observation, name);
  return one != nullptr && other != nullptr && one->bytes == other->bytes;
}

bool all_zero(const Outcome& outcome, TensorName name) {
  const Numbers numbers(outcome.trial->c.problem, name, *given(*outcome.observation, name));
  return std::all_of(numbers.values().begin(), numbers.values().end(),
                     [](double x) { return x == 0; });
}

/// dQ and dK are 0, and rounding noise, unless some row has keys to tell apart.
bool has_gradients(const Problem& problem) {
  bool any = problem.lse_cotangent;
  visit_rows(problem, TensorName::q,
             [&](const RowAt& at) { any |= keys_seen(problem, at).size() > 1; });
  return any && softmax_scale(problem) != 0;
}

class Comparing {
 public:
  explicit Comparing(std::span<const Outcome> outcomes) : outcomes_(outcomes) {}

  void ask(std::size_t trial, const Question& question) {
    const Outcome& base = outcomes_[0];
    const Outcome& scaled = outcomes_[trial];
    const std::string name(to_string(question.name));
    if (!scaled.observation || given(*scaled.observation, question.name) == nullptr ||
        given(*base.observation, question.name) == nullptr) {
      lost_ = fmt::format("no {} came back of the trial {}", name, scaled.trial->label);
      return;
    }
    const Tally tally = compare(base, scaled, question);
    if (!tally.clean()) {
      if (outcomes_.size() > 3 && !same_bytes(base, outcomes_[3], question.name)) {
        lost_ = fmt::format("{} differs from run to run, so that it cannot be compared bit by bit",
                            name);
        return;
      }
      findings_.push_back(tally.finding(base.trial->c.problem, question.name, "probe.linearity",
                                        fmt::format("{}: with {} it is not {:g} times what it was",
                                                    name, scaled.trial->label, question.factor)));
    }
    if (all_zero(base, question.name)) lost_ = fmt::format("control: {} is 0 throughout", name);
  }

  [[nodiscard]] Judgement judgement() { return judgement_of(std::move(findings_), lost_); }

 private:
  std::span<const Outcome> outcomes_;
  std::vector<Finding> findings_;
  std::string lost_;
};

}  // namespace

std::vector<Trial> trials(const Case& c) {
  const Powers powers = powers_of(c.problem.dtype);
  std::vector<Trial> all{
      make_trial(c, "V in [1, 2)", 1, powers.dout_base),
      make_trial(c, fmt::format("V x {:g}", powers.v), powers.v, powers.dout_base)};
  if (!has_backward(c.problem)) return all;
  all.push_back(
      make_trial(c, fmt::format("dO x {:g}", powers.dout), 1, powers.dout_base * powers.dout));
  all.push_back(all[0]);
  all.back().label = "the first question again";
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  if (!someone_sees(c.problem)) return judgement_of({}, "no query sees a key: O is 0 throughout");
  const Powers powers = powers_of(c.problem.dtype);
  const bool f16 = c.problem.dtype == Dtype::f16;
  Comparing comparing(outcomes);
  comparing.ask(1, {o, powers.v, false});
  if (has_backward(c.problem)) {
    const bool gradients = has_gradients(c.problem);
    comparing.ask(1, {dv, 1, false});
    comparing.ask(2, {dv, powers.dout, true});
    // fp16 has no room for what V x 2^14 makes of dS.
    if (gradients && !f16) {
      comparing.ask(1, {dq, powers.v, true});
      comparing.ask(1, {dk, powers.v, true});
    }
    if (gradients) {
      comparing.ask(2, {dq, powers.dout, true});
      comparing.ask(2, {dk, powers.dout, true});
    }
  }
  return comparing.judgement();
}

}  // namespace fathom::linearity_probe
