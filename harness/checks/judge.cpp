// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/judge.h"

#include "harness/checks/check.h"
#include "harness/checks/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom {
namespace {

std::vector<Finding> run_checks(const Evidence& evidence) {
  std::vector<Finding> findings;
  for (const Check& check : all_checks()) {
    std::vector<Finding> more = check.run(evidence);
    std::move(more.begin(), more.end(), std::back_inserter(findings));
  }
  return findings;
}

/// Whether an all-zero tensor in place of this one would satisfy every Check.
bool zero_would_pass(const Observation& observation, const Comparison& comparison,
                     std::span<const Reach> reach) {
  Observation twin;
  twin.c = observation.c;
  twin.arithmetic = observation.arithmetic;
  twin.oracle = observation.oracle;
  ObservedTensor& zero = twin.outputs[comparison.spec.name];
  zero.transport = comparison.transport;
  zero.tensor.spec = comparison.spec;
  zero.tensor.bytes.resize(static_cast<std::size_t>(byte_count(comparison.spec)));
  // The twin lacks the other outputs, which is nothing against this one.
  const std::vector<Finding> findings = run_checks(weigh(twin, reach));
  return std::none_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.tensor == to_string(comparison.spec.name);
  });
}

/// Whether an honest answer is 0 throughout. No element at all counts as zero.
bool should_be_zero(const Evidence& evidence, const Comparison& comparison) {
  if (comparison.spec.name != TensorName::lse) {
    const auto& want = comparison.oracle->value;
    return std::all_of(want.begin(), want.end(), [](double x) { return x == 0; });
  }
  const double empty = empty_row_lse(evidence.observation.arithmetic);
  bool zero = true;
  for_each_row(evidence, TensorName::lse, [&](Index index, Index, Index terms) {
    zero &= (terms == 0 ? empty : comparison.oracle->value[static_cast<std::size_t>(index)]) == 0;
  });
  return zero;
}

/// Which tensors a dead backend would get away with; empty if none.
std::string why_vacuous(const Evidence& evidence, std::vector<TensorMetrics>& metrics) {
  std::string named;
  bool some_power = false;
  for (std::size_t t = 0; t < evidence.tensors.size(); ++t) {
    const Comparison& comparison = evidence.tensors[t];
    if (comparison.observed == nullptr) continue;
    if (!zero_would_pass(evidence.observation, comparison, evidence.reach)) {
      some_power = true;
      continue;
    }
    metrics[t].zero_would_pass = true;
    if (should_be_zero(evidence, comparison)) continue;
    named += (named.empty() ? "" : ", ") + metrics[t].tensor;
  }
  if (!named.empty()) return fmt::format("an all-zero {} would have passed every check", named);
  if (!some_power)
    return "everything compared is rightly zero, so a dead backend would have passed";
  return {};
}

/// The first Finding of the worst class: Checks and their tests come in order of gravity.
const Finding* gravest(const std::vector<Finding>& findings) {
  const auto found = std::max_element(
      findings.begin(), findings.end(),
      [](const Finding& a, const Finding& b) { return a.fail_class < b.fail_class; });
  return found == findings.end() ? nullptr : &*found;
}

}  // namespace

Judgement judgement_of(std::vector<Finding> findings, const std::string& why_vacuous) {
  Judgement judgement;
  judgement.findings = std::move(findings);
  if (const Finding* worst = gravest(judgement.findings)) {
    judgement.verdict = Verdict::fail;
    judgement.fail_class = worst->fail_class;
    judgement.reason = worst->message;
    return judgement;
  }
  judgement.verdict = why_vacuous.empty() ? Verdict::pass : Verdict::vacuous;
  judgement.reason = why_vacuous;
  return judgement;
}

Judgement judge(const Observation& observation) {
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  const Evidence evidence = weigh(observation, reach);
  std::vector<TensorMetrics> metrics;
  for (const Comparison& comparison : evidence.tensors) {
    metrics.push_back(metrics_of(evidence, comparison));
  }
  const std::string vacuous = why_vacuous(evidence, metrics);
  Judgement judgement = judgement_of(run_checks(evidence), vacuous);
  judgement.tensors = std::move(metrics);
  return judgement;
}

}  // namespace fathom
