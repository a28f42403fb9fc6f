// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/finite.h"

#include <fmt/format.h>

#include <cmath>

namespace fathom {
namespace {

struct Wrong {
  Index elements = 0;
  Index first = -1;
};

Wrong wrong_lse(const Evidence& evidence, const Comparison& comparison) {
  Wrong wrong;
  for_each_row(evidence, TensorName::lse, [&](Index index, Index, Index terms) {
    if (terms == 0 || std::isfinite(comparison.got[static_cast<std::size_t>(index)])) return;
    if (wrong.elements++ == 0) wrong.first = index;
  });
  return wrong;
}

}  // namespace

std::vector<Finding> check_finite(const Evidence& evidence) {
  std::vector<Finding> findings;
  for (const Comparison& comparison : evidence.tensors) {
    if (comparison.observed == nullptr) continue;
    const Wrong wrong = comparison.spec.name == TensorName::lse
                            ? wrong_lse(evidence, comparison)
                            : Wrong{comparison.score.nonfinite, comparison.score.first_nonfinite};
    if (wrong.elements == 0) continue;
    Finding finding = start_finding("finite", comparison, FailClass::nonfinite);
    finding.value = static_cast<double>(wrong.elements);
    finding.limit = 0;
    finding.worst = element_at(evidence, comparison, wrong.first);
    finding.message =
        fmt::format("{}: {} elements are NaN or infinite and should not be; the first at {}",
                    finding.tensor, wrong.elements, to_string(*finding.worst));
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace fathom
