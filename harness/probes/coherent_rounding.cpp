// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/coherent_rounding.h"

#include "harness/checks/evidence.h"
#include "harness/checks/reach.h"
#include "harness/probes/exact_limits.h"
#include "harness/probes/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom::coherent_rounding_probe {
namespace {

using namespace probing;

/// What T_L does not foresee: equal weights that are added one after the other err alike. k of them
/// cost up to k/2 steps of 2^-24, and even a plain vector loop adds in 8 lanes. The fault costs
/// 5000 steps in fp16 and 16000 in bf16.
constexpr double equal_terms_limit = 0x1p-24 / 16;

/// Rows in which weights below the maximum exist.
bool has_levels(const Problem& problem, const RowAt& at) {
  const KeyRange keys = keys_seen(problem, at);
  return keys.begin == 0 && keys.size() > 1;
}

bool some_levels(const Problem& problem) {
  bool any = false;
  visit_rows(problem, TensorName::lse, [&](const RowAt& at) { any |= has_levels(problem, at); });
  return any && softmax_scale(problem) != 0;
}

std::string gain_of_o(const Observation& observation) {
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  const Evidence evidence = weigh(observation, reach);
  for (const Comparison& comparison : evidence.tensors) {
    if (comparison.spec.name != TensorName::o || comparison.observed == nullptr) continue;
    return fmt::format("{:.3g}", gain(comparison.score.all));
  }
  return "none";
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  Trial levels{.label = "const_p", .c = c, .edit = {}};
  levels.c.fill = Fill::const_p;
  if (levels.c.problem.lse == LseRequest::no) levels.c.problem.lse = LseRequest::wanted;
  Trial control = levels;
  control.label = "control: Q = 0";
  control.c.fill = Fill::q_zero;
  control.oracle = false;
  return {levels, control};
}

Judgement judge(const Case& /*c*/, std::span<const Outcome> outcomes) {
  const Observation& observation = *outcomes[0].observation;
  const Problem& problem = observation.c.problem;
  if (!some_levels(problem)) {
    return judgement_of({}, "no row sees key 0 and another key with a weight of its own");
  }
  const Tensor* lse = given(observation, TensorName::lse);
  if (lse == nullptr) {
    Judgement judgement;
    judgement.verdict = Verdict::unsupported;
    judgement.reason = "the backend gives no LSE, in which rounded weights would show";
    return judgement;
  }
  const Numbers got(problem, TensorName::lse, *lse);
  const OracleTensor& oracle = observation.oracle->at(TensorName::lse);
  const Tensor* other =
      outcomes[1].observation ? given(*outcomes[1].observation, TensorName::lse) : nullptr;
  bool control = false;
  Tally tally;
  visit_rows(problem, TensorName::lse, [&](const RowAt& at) {
    if (keys_seen(problem, at).size() == 0) return;
    const auto i = static_cast<std::size_t>(at.first);
    const auto keys = static_cast<double>(keys_seen(problem, at).size());
    const double limit = problem.dtype == Dtype::f64
                             ? fp64_share * std::max(1.0, std::abs(oracle.value[i]))
                             : oracle.bound[i] + equal_terms_limit * keys;
    tally.compare(at.first, got.values()[i], oracle.value[i], limit);
  });
  if (other != nullptr) {
    const Numbers zero(problem, TensorName::lse, *other);
    visit_rows(problem, TensorName::lse, [&](const RowAt& at) {
      const auto i = static_cast<std::size_t>(at.first);
      control |= has_levels(problem, at) && got.values()[i] != zero.values()[i];
    });
  }
  std::vector<Finding> findings;
  if (!tally.clean()) {
    findings.push_back(tally.finding(problem, TensorName::lse, "probe.coherent_rounding",
                                     "lse: it is not the sum of unrounded weights"));
  }
  Judgement judgement = judgement_of(std::move(findings),
                                     control ? "" : "control: the LSE does not move when Q does");
  judgement.answers["coherent_rounding.lse_share"] = fmt::format("{:.3g}", tally.share());
  if (problem.dtype != Dtype::f64) {
    judgement.answers["coherent_rounding.gain_of_o"] = gain_of_o(observation);
  }
  return judgement;
}

}  // namespace fathom::coherent_rounding_probe
