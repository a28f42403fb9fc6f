// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/mutant/seams.h"

#include <vector>

namespace fathom::mutant {

/// What the forward pass leaves for the backward pass: the LSE of every row, indexed as the tensor
/// `lse` of the Problem, whether that is an output or not.
struct StoredLse {
  std::vector<float> values;
};

/// Into how many ranges the keys of a sequence are split.
constexpr Index split_count(Index key_length) {
  if (key_length <= 256) return 1;
  return key_length <= 1024 ? 2 : 4;
}

/// Flash attention as GPU kernels do it: tiles of queries against tiles of keys, an online softmax
/// with its maximum and its sum in fp32, P rounded to storage before P V (the sum is not), fp32
/// accumulation. Ranges of keys (splits) are normalised one by one and merged by their LSE. Writes
/// o and lse. Rows that see no key: O = 0, LSE = -infinity.
void forward(const Call& call, StoredLse& stored);

}  // namespace fathom::mutant
