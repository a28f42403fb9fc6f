// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/explain/fit.h"

#include <vector>

namespace fathom {

/// Everything that is known to go wrong in attention and predicts the rows of this tensor, the more
/// common first. Costs a scan over tiles and keys.
std::vector<Candidate> all_candidates(const Puzzle& puzzle);

}  // namespace fathom
