// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/uniform_weights.h"

#include "harness/probes/exact_limits.h"
#include "harness/probes/numbers.h"
#include "harness/probes/running_sums.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace fathom::uniform_weights_probe {
namespace {

using namespace probing;

/// 64 overflows an fp16 accumulator from 1024 keys on; 255/128 fills the 8 bits of bf16.
constexpr std::array constants{1.0, 64.0, 1.9921875};

Trial constant_trial(const Case& c, Fill fill, double value, std::string label) {
  Trial trial{.label = std::move(label), .c = c, .edit = {}, .oracle = false};
  trial.c.fill = fill;
  trial.edit = [value](const Problem& problem, TensorSet& inputs) {
    fill_with(problem, inputs, TensorName::v, value);
  };
  return trial;
}

/// The limit of one element of O whose exact value is sum.value.
double mean_limit(const Problem& problem, const Arithmetic& arithmetic, const Sum& sum) {
  const double slack = product_limit(problem.dtype, arithmetic, sum);
  if (problem.dtype == Dtype::f64) return slack;
  return rounding_limit(problem.dtype, arithmetic.out_round, sum.value, slack) + slack;
}

/// A constant that the dtype holds comes back unchanged, unless what is declared may move it by
/// more than a quarter of the distance at which rounding gives its neighbour.
double constant_limit(const Problem& problem, const Arithmetic& arithmetic, const Sum& sum) {
  const double slack = product_limit(problem.dtype, arithmetic, sum);
  const bool tight =
      arithmetic.out_round != Rounding::rtz && slack < ulp(problem.dtype, sum.value) / 16;
  if (is_16_bit(problem.dtype) && tight) return 0;
  return mean_limit(problem, arithmetic, sum);
}

/// With V = 1 each rounded weight enters the sum but not l: O is 1 within one rounding of P and one
/// of O.
double random_q_limit(const Problem& problem, const Arithmetic& arithmetic, const Sum& sum) {
  const double slack = product_limit(problem.dtype, arithmetic, sum);
  if (problem.dtype == Dtype::f64) return slack;
  double weights = relative_rounding(arithmetic.p_dtype, arithmetic.p_round);
  if (arithmetic.p_dtype == Dtype::f16) weights += 0x1p-24 * static_cast<double>(sum.terms);
  if (arithmetic.acc == Accumulator::tf32x1) weights += 0x1p-10;
  return rounding_limit(problem.dtype, arithmetic.out_round, 1, weights + slack) + weights + slack;
}

using LimitOf = double (*)(const Problem&, const Arithmetic&, const Sum&);

/// Compares O with the mean of the visible V in every row; `sum_of` gives it for one element.
template <typename SumOf>
Tally compare_rows(const Outcome& outcome, LimitOf limit_of, SumOf sum_of) {
  const Observation& observation = *outcome.observation;
  const Problem& problem = observation.c.problem;
  Tally tally;
  const Tensor* o = given(observation, TensorName::o);
  if (o == nullptr) return tally;
  const Numbers got(problem, TensorName::o, *o);
  visit_rows(problem, TensorName::o, [&](const RowAt& at) {
    const KeyRange keys = keys_seen(problem, at);
    for (Index c = 0; c < problem.value_dim; ++c) {
      const Index element = at.first + c;
      const double value = got.values()[static_cast<std::size_t>(element)];
      if (keys.size() == 0) {
        tally.compare(element, value, 0, 0);
        continue;
      }
      const Sum sum = sum_of(at, keys, c);
      tally.compare(element, value, sum.value, limit_of(problem, observation.arithmetic, sum));
    }
  });
  return tally;
}

Tally compare_constant(const Outcome& outcome, double value, LimitOf limit_of, bool equal_weights) {
  return compare_rows(outcome, limit_of, [=](const RowAt&, const KeyRange& keys, Index) {
    const double n = equal_weights ? static_cast<double>(keys.size()) : 1;
    return Sum{value, value, value * value / n, keys.size()};
  });
}

Tally compare_random(const Outcome& outcome) {
  const Problem& problem = outcome.trial->c.problem;
  const RunningSums sums(problem, TensorName::v, outcome.inputs->at(TensorName::v));
  return compare_rows(outcome, mean_limit, [&](const RowAt& at, const KeyRange& keys, Index c) {
    return sums.mean(at.sequence, kv_head_of(problem, at.head), keys, c);
  });
}

Tally compare(const Outcome& outcome, std::size_t trial) {
  if (trial < constants.size()) {
    return compare_constant(outcome, constants[trial], constant_limit, true);
  }
  if (trial == constants.size()) return compare_random(outcome);
  return compare_constant(outcome, 1, random_q_limit, false);
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all;
  for (const double value : constants) {
    all.push_back(constant_trial(c, Fill::q_zero, value, fmt::format("Q = 0, V = {:.7g}", value)));
  }
  all.push_back({.label = "Q = 0, V random", .c = c, .edit = {}, .oracle = false});
  all.back().c.fill = Fill::q_zero;
  all.push_back(constant_trial(c, Fill::normal, 1, "Q random, V = 1"));
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  if (!someone_sees(c.problem)) return judgement_of({}, "no query sees a key: O has no weights");
  std::vector<Finding> findings;
  std::string lost;
  std::map<std::string, std::string> answers;
  for (std::size_t t = 0; t < outcomes.size(); ++t) {
    const std::string& label = outcomes[t].trial->label;
    if (!outcomes[t].observation || given(*outcomes[t].observation, TensorName::o) == nullptr) {
      lost = "no O came back of the trial " + label;
      continue;
    }
    const Tally tally = compare(outcomes[t], t);
    answers["uniform_weights." + label] = fmt::format("{:.3g} of the limit", tally.share());
    if (tally.clean()) continue;
    findings.push_back(tally.finding(c.problem, TensorName::o, "probe.uniform_weights",
                                     fmt::format("o: with {} it is not the mean of V", label)));
  }
  Judgement judgement = judgement_of(std::move(findings), lost);
  judgement.answers = std::move(answers);
  return judgement;
}

}  // namespace fathom::uniform_weights_probe
