// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/lse.h"

#include "harness/checks/check.h"
#include "harness/checks/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

Finding too_far(const Evidence& evidence, const Comparison& lse, const LseScore& score) {
  Finding finding = start_finding("lse", lse, FailClass::accuracy);
  finding.worst = element_at(evidence, lse, score.share.element);
  finding.value = score.share.value * score.limit;
  finding.limit = score.limit;
  finding.message = fmt::format("lse: error {:.3g} exceeds the limit {:.3g} at {}", *finding.value,
                                score.limit, to_string(*finding.worst));
  return finding;
}

Finding wrong_convention(const Evidence& evidence, const Comparison& lse, const LseScore& score) {
  Finding finding = start_finding("lse.empty_row", lse, FailClass::contract);
  finding.worst = element_at(evidence, lse, score.first_wrong_empty_row);
  finding.value = static_cast<double>(score.wrong_empty_rows);
  finding.limit = 0;
  finding.message =
      fmt::format("lse: {} rows that see no key are not {:g} as declared; the first at {}",
                  score.wrong_empty_rows, finding.worst->want, to_string(*finding.worst));
  return finding;
}

}  // namespace

LseScore score_lse(const Evidence& evidence, const Comparison& lse) {
  const bool fp64 = evidence.observation.c.problem.dtype == Dtype::f64;
  const double empty = empty_row_lse(evidence.observation.arithmetic);
  LseScore score;
  for_each_row(evidence, TensorName::lse, [&](Index index, Index, Index terms) {
    const auto i = static_cast<std::size_t>(index);
    if (terms == 0) {
      if (lse.got[i] != empty && score.wrong_empty_rows++ == 0) score.first_wrong_empty_row = index;
      return;
    }
    const double want = lse.oracle->value[i];
    const double unit = std::max(1.0, std::abs(want));
    const double limit = fp64 ? fp64_limit * unit : lse.oracle->bound[i];
    const double e = std::abs(error_of(lse.spec.dtype, lse.got[i], want));
    score.max_u32 = std::max(score.max_u32, e / unit * 0x1p24);
    const double share = share_of(e, limit);
    if (score.share.element >= 0 && share <= score.share.value) return;
    score.share = {share, index};
    score.limit = limit;
  });
  return score;
}

std::vector<Finding> check_lse(const Evidence& evidence) {
  std::vector<Finding> findings;
  for (const Comparison& lse : evidence.tensors) {
    if (lse.spec.name != TensorName::lse || lse.observed == nullptr) continue;
    const LseScore score = score_lse(evidence, lse);
    if (!(score.share.value <= 1)) findings.push_back(too_far(evidence, lse, score));
    if (score.wrong_empty_rows != 0) findings.push_back(wrong_convention(evidence, lse, score));
  }
  return findings;
}

}  // namespace fathom
