// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

#include <span>
#include <string>
#include <vector>

// Who sees whom: the mask that a backend really applies, read off its answers, and its name.

namespace fathom::conventions_probe {

/// What a mask is asked of, and what its matrix is called.
struct Question {
  Mask mask;
  Sequence lengths;
};

/// Masks of one term.
Mask causal(Corner corner);
Mask window(Index left, Index right);

/// Who saw whom in one (sequence, head): matrix[query][key].
using Matrix = std::vector<std::vector<char>>;

Matrix matrix_of(const Mask& mask, const Sequence& s);

/// Q = 0, and V the unit vector of channel j - first for the keys j of one block, else 0: the
/// channels of O that are not 0 are the keys that were seen.
void one_block(const Problem& problem, TensorSet& inputs, Index first);
/// How many blocks of keys, each as long as V is wide, it takes to ask for all keys.
Index block_count(const Problem& problem, const Question& question);
/// The matrix that one head of the answers shows. A row that is all NaN shows nothing.
Matrix read_matrix(std::span<const Outcome> blocks, const Sequence& s, Index head);

/// The name by which implementations are known to have it; without one a picture where it is short
/// enough to be read, else the first difference from what was asked for.
std::string name_of(const Matrix& matrix, const Question& question);
std::string first_disagreement(const Matrix& got, const Matrix& want);

}  // namespace fathom::conventions_probe
