// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/explain/fit.h"

#include <vector>

namespace fathom {

/// Gradients whose sums start with what an accumulator held before: of another tile of rows, or of
/// another head. What it held was written too, so that nothing is fitted.
std::vector<Candidate> leftover_candidates(const Puzzle& puzzle);

}  // namespace fathom
