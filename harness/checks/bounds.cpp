// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/bounds.h"

#include <fmt/format.h>

namespace fathom {
namespace {

Finding guard(const Comparison& comparison) {
  Finding finding = start_finding("bounds.guard", comparison, FailClass::out_of_bounds);
  finding.message = fmt::format("{}: a guard was overwritten: {}", finding.tensor,
                                comparison.observed->guard_damage);
  return finding;
}

Finding unwritten(const Evidence& evidence, const Comparison& comparison) {
  const ObservedTensor& observed = *comparison.observed;
  Finding finding = start_finding("bounds.unwritten", comparison, FailClass::out_of_bounds);
  finding.value = static_cast<double>(observed.unwritten);
  finding.limit = 0;
  finding.message = fmt::format("{}: {} of {} elements were never written", finding.tensor,
                                observed.unwritten, element_count(comparison.spec));
  if (!observed.unwritten_sample.empty()) {
    finding.worst = element_at(evidence, comparison, observed.unwritten_sample.front());
    finding.message += "; the first at " + to_string(*finding.worst);
  }
  return finding;
}

}  // namespace

std::vector<Finding> check_bounds(const Evidence& evidence) {
  std::vector<Finding> findings;
  for (const Comparison& comparison : evidence.tensors) {
    if (comparison.observed == nullptr) continue;
    if (!comparison.observed->guard_damage.empty()) findings.push_back(guard(comparison));
    if (comparison.transport == Transport::in_place && comparison.observed->unwritten != 0) {
      findings.push_back(unwritten(evidence, comparison));
    }
  }
  return findings;
}

}  // namespace fathom
