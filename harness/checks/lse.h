// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"
#include "harness/checks/score.h"

#include <vector>

namespace fathom {

/// Errors of the LSE over the rows that see a key, and the rows that see none.
struct LseScore {
  Peak share;          ///< |error| / T_L, the oracle's limit; in fp64 over fp64_limit max(1, |L|).
  double max_u32 = 0;  ///< max |error| in units of 2^-24 max(1, |L|).
  double limit = 0;    ///< The limit at the peak.
  Index wrong_empty_rows = 0;  ///< Empty rows that do not follow the declared convention.
  Index first_wrong_empty_row = -1;
};
LseScore score_lse(const Evidence& evidence, const Comparison& lse);

/// Essence: |LSE - oracle| <= T_L in every row, a limit of some fp32 steps that the oracle derives
/// (so one lost key of 4096 shows where the output hides it); rows that see no key are exactly what
/// the backend declares.
std::vector<Finding> check_lse(const Evidence& evidence);

}  // namespace fathom
