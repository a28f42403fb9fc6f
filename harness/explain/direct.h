// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/explain/fit.h"

#include <vector>

namespace fathom {

/// Candidates that need the oracle's values only: a common factor, a factor per row, rows or heads
/// or sequences exchanged.
std::vector<Candidate> direct_candidates(const Puzzle& puzzle);

/// Least-squares g of got = (1 + g) want over some rows.
double common_gain(const TensorErrors& errors, const std::vector<const RowError*>& rows);

}  // namespace fathom
