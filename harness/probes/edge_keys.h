// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"

#include <vector>

namespace fathom::probing {

/// Keys of a sequence at which kernels go wrong, without repetition, the likeliest first: both ends
/// of the sequence, of its prefix and its documents, of windows, and of tiles of 64, 128, 32, 16,
/// 80, 192 and 176 keys. At most `most`, the tiles spread over the sequence.
std::vector<Index> edge_keys(const Problem& problem, Index sequence, Index most);

}  // namespace fathom::probing
