// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"
#include "harness/core/tensor.h"

#include <vector>

namespace fathom {

/// Who meets whom inside one sequence, from the mask predicate alone and never from the oracle, so
/// that the two check each other.
struct Reach {
  std::vector<Index> keys_of_query;   ///< How many keys each query sees.
  std::vector<Index> queries_of_key;  ///< How many queries see each key.
  Index longest_query = 0;            ///< Largest of keys_of_query.
  Index longest_key = 0;              ///< Largest of queries_of_key.
  bool operator==(const Reach&) const = default;
};

Reach reach_of(const Mask& mask, const Sequence& sequence);

/// One Reach per sequence of the Problem.
std::vector<Reach> reach_of(const Problem& problem);

/// Rows of dK and dV are keys; rows of every other output are queries.
bool has_key_rows(TensorName name);

/// Terms that meet in each row of the tensor: 0 in a row to which no visible pair contributes.
const std::vector<Index>& terms_of_rows(const Reach& reach, TensorName name);

/// Contraction length of a sequence: the most terms that meet in one row of the tensor.
Index contraction_length(const Reach& reach, TensorName name);

}  // namespace fathom
