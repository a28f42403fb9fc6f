// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/finding.h"
#include "harness/core/metrics.h"
#include "harness/core/observation.h"
#include "harness/core/verdict.h"

#include <map>
#include <string>
#include <vector>

namespace fathom {

/// What the Checks made of one Observation.
struct Judgement {
  Verdict verdict = Verdict::error;  ///< pass, fail, vacuous; a Probe may say unsupported.
  FailClass fail_class = FailClass::none;
  std::string reason;  ///< One sentence: the gravest Finding, or which tensor is vacuous.
  std::vector<Finding> findings;
  std::vector<TensorMetrics> tensors;
  std::map<std::string, std::string> answers;  ///< What a Probe found out, by question.
};

/// The Judgement that follows from Findings alone: fail with the gravest of them; vacuous with the
/// reason given if there are none; else pass.
Judgement judgement_of(std::vector<Finding> findings, const std::string& why_vacuous);

/// Puts an Observation through every Check of the table, and an all-zero twin of each compared
/// tensor through the very same Checks (a tensor that zero would satisfy makes the case vacuous,
/// unless the oracle itself says zero).
Judgement judge(const Observation& observation);

}  // namespace fathom
