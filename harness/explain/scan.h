// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/explain/fit.h"

#include <vector>

namespace fathom {

/// Candidates found by trying every tile and every key (query, for dK and dV) in turn: a tile that
/// takes no part, takes part twice, or is replaced by the one before; one key lost, doubled or
/// added; two rows of V exchanged. Only the best of each kind is returned.
std::vector<Candidate> scan_candidates(const Puzzle& puzzle);

}  // namespace fathom
