// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/sums.h"

#include "harness/probes/exact_gradients.h"
#include "harness/probes/exact_limits.h"
#include "harness/probes/numbers.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace fathom::sums_probe {
namespace {

using namespace probing;
using enum TensorName;

/// The budget's limit of |z| for gradients.
double z_limit(Dtype dtype) {
  return is_16_bit(dtype) ? 12 : 32;
}

/// One K for all keys of a head.
void write_one_key(const Problem& problem, TensorSet& inputs) {
  const Numbers random(problem, k, inputs.at(k));
  rewrite(problem, inputs, k, [&](const RowAt& at, std::span<double> x) {
    const auto first = random.row(at.sequence, at.head, 0);
    std::copy(first.begin(), first.end(), x.begin());
  });
}

/// sum_j dV_jc = sum_i dO_ic over the rows that see a key. Rounding errors of dV add up
/// independently, unless a handful of queries gives all rows nearly the same products, which round
/// alike; the one of a row's LSE is common to its weights, and a declared error of the exponential
/// to all.
Tally compare_sums(const Outcome& outcome) {
  const Observation& observation = *outcome.observation;
  const Problem& problem = observation.c.problem;
  const OracleTensor& oracle = observation.oracle->at(dv);
  const std::vector<double>& lse = observation.oracle->at(TensorName::lse).value;
  const Numbers got(problem, dv, *given(observation, dv));
  const Numbers cotangent(problem, dout, outcome.inputs->at(dout));
  const bool fp64 = problem.dtype == Dtype::f64;
  const Index group = problem.query_heads / problem.kv_heads;
  Tally tally;
  visit_rows(problem, dv, [&](const RowAt& key) {
    if (key.row != 0) return;
    const HeadView keys = head_view(problem, dv, key.sequence, key.head);
    for (Index c = 0; c < keys.channels; ++c) {
      double sum = 0, want = 0, variance = 0, steady = 0;
      Index queries = 0;
      for (Index j = 0; j < keys.rows; ++j) {
        const auto i = static_cast<std::size_t>(keys.offset + j * keys.row_stride + c);
        sum += got.values()[i];
        if (!fp64) variance += oracle.sigma[i] * oracle.sigma[i];
        if (fp64) steady += fp64_share * std::abs(oracle.value[i]);
      }
      for (Index h = key.head * group; h < (key.head + 1) * group; ++h) {
        const HeadView rows = head_view(problem, TensorName::lse, key.sequence, h);
        for (Index i = 0; i < rows.rows; ++i) {
          if (keys_seen(problem, {key.sequence, h, i, 0}).size() == 0) continue;
          const double x = cotangent.row(key.sequence, h, i)[static_cast<std::size_t>(c)];
          const double l = lse[static_cast<std::size_t>(rows.offset + i * rows.row_stride)];
          const double common = x * 0x1p-24 * (8 * std::max(1.0, std::abs(l)) + 16) / 3;
          want += x;
          ++queries;
          if (!fp64) variance += common * common;
          steady += (fp64 ? 8 * fp64_share : observation.arithmetic.exp_rel) * std::abs(x);
        }
      }
      constexpr Index handful = 16;
      const bool leans = queries < handful || observation.arithmetic.p_round == Rounding::rtz ||
                         observation.arithmetic.out_round == Rounding::rtz;
      const double spread =
          std::sqrt(variance) * (leans ? std::sqrt(static_cast<double>(keys.rows)) : 1);
      tally.compare(key.first + c, sum, want, z_limit(problem.dtype) * spread + steady);
    }
  });
  return tally;
}

/// With one K for all keys dQ = scale k (sum_j dS), which is scale k dLSE; within the budget.
Tally compare_one_key(const Outcome& outcome) {
  const Observation& observation = *outcome.observation;
  const Problem& problem = observation.c.problem;
  const OracleTensor& oracle = observation.oracle->at(dq);
  const Numbers got(problem, dq, *given(observation, dq));
  Tally tally;
  for (std::size_t i = 0; i < got.values().size(); ++i) {
    const double limit = problem.dtype == Dtype::f64 ? 1e-10
                                                     : z_limit(problem.dtype) * oracle.sigma[i] +
                                                           ulp(problem.dtype, oracle.value[i]);
    tally.compare(static_cast<Index>(i), got.values()[i], oracle.value[i], limit);
  }
  return tally;
}

Tally exact_dq(const Outcome& o) {
  return compare_exact_dq(*o.observation, *o.inputs);
}
Tally exact_dk(const Outcome& o) {
  return compare_exact_dk(*o.observation, *o.inputs);
}
Tally exact_dv(const Outcome& o) {
  return compare_exact_dv(*o.observation, *o.inputs);
}
Tally vanishing_dq(const Outcome& o) {
  return compare_vanishing_dq(*o.observation, *o.inputs);
}
Tally vanishing_dk(const Outcome& o) {
  return compare_vanishing_dk(*o.observation, *o.inputs);
}

struct Question {
  std::size_t trial;
  TensorName tensor;
  std::string_view check;
  std::string_view message;
  Tally (*compare)(const Outcome&);
};
constexpr std::array questions{
    Question{0, dq, "probe.sums.exact", "it is not the sum of its terms, rounded once", exact_dq},
    Question{0, dk, "probe.sums.exact", "it is not the sum of its terms, rounded once", exact_dk},
    Question{0, dv, "probe.sums.exact", "it is not the sum of its terms, rounded once", exact_dv},
    Question{1, dq, "probe.sums.vanishing", "with V = 1 it does not vanish, as dP = D must make it",
             vanishing_dq},
    Question{1, dk, "probe.sums.vanishing", "with V = 1 it does not vanish, as dP = D must make it",
             vanishing_dk},
    Question{2, dv, "probe.sums.dv", "its rows do not add up to those of dO (shown is the sum)",
             compare_sums},
    Question{3, dq, "probe.sums.one_key", "with one K for all keys it is not scale K dLSE, or 0",
             compare_one_key},
};

}  // namespace

std::vector<Trial> trials(const Case& c) {
  const auto make = [&](std::string label, std::function<void(const Problem&, TensorSet&)> edit,
                        bool oracle) {
    Trial trial{.label = std::move(label), .c = c, .edit = std::move(edit), .oracle = oracle};
    trial.c.fill = Fill::normal;
    return trial;
  };
  if (!has_backward(c.problem)) return {make("forward only", {}, false)};
  return {make("weights 1/n, V of signs", write_signs, false),
          make("weights 1/n, V = 1", write_ones, false), make("random", {}, true),
          make("one K for all keys", write_one_key, true)};
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  if (!has_backward(c.problem)) return judgement_of({}, "dir=fwd: there are no gradients to add");
  if (!someone_sees(c.problem)) return judgement_of({}, "no query sees a key: gradients are 0");
  std::vector<Finding> findings;
  std::string lost;
  std::map<std::string, std::string> answers;
  for (const Question& question : questions) {
    const Outcome& outcome = outcomes[question.trial];
    const std::string name(to_string(question.tensor));
    if (!outcome.observation || given(*outcome.observation, question.tensor) == nullptr) {
      lost = fmt::format("no {} came back of the trial {}", name, outcome.trial->label);
      continue;
    }
    const Tally tally = question.compare(outcome);
    answers[fmt::format("{}.{}", question.check, name)] =
        fmt::format("{:.3g} of the limit", tally.share());
    if (tally.clean()) continue;
    findings.push_back(tally.finding(c.problem, question.tensor, std::string(question.check),
                                     fmt::format("{}: {}", name, question.message)));
  }
  Judgement judgement = judgement_of(std::move(findings), lost);
  judgement.answers = std::move(answers);
  return judgement;
}

}  // namespace fathom::sums_probe
