// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/exact_zeros.h"

#include <fmt/format.h>

#include <cmath>

namespace fathom {
namespace {

struct Leak {
  Index elements = 0;
  double largest = -1;
  Index at = -1;
};

Leak find_leak(const Evidence& evidence, const Comparison& comparison) {
  Leak leak;
  for_each_row(evidence, comparison.spec.name, [&](Index first, Index channels, Index terms) {
    if (terms != 0) return;
    for (Index i = first; i < first + channels; ++i) {
      const double got = comparison.got[static_cast<std::size_t>(i)];
      if (got == 0) continue;
      ++leak.elements;
      const double size = std::isnan(got) ? HUGE_VAL : std::abs(got);
      if (size > leak.largest) leak = {leak.elements, size, i};
    }
  });
  return leak;
}

}  // namespace

std::vector<Finding> check_exact_zeros(const Evidence& evidence) {
  std::vector<Finding> findings;
  for (const Comparison& comparison : evidence.tensors) {
    if (comparison.observed == nullptr || comparison.spec.name == TensorName::lse) continue;
    const Leak leak = find_leak(evidence, comparison);
    if (leak.elements == 0) continue;
    Finding finding = start_finding("exact_zeros", comparison, FailClass::contract);
    finding.value = leak.largest;
    finding.limit = 0;
    finding.worst = element_at(evidence, comparison, leak.at);
    finding.message = fmt::format(
        "{}: {} elements are not exactly 0 in rows to which no visible pair contributes; the "
        "largest at {}",
        finding.tensor, leak.elements, to_string(*finding.worst));
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace fathom
