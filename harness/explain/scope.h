// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/explain/residuals.h"

#include <functional>
#include <string>
#include <vector>

namespace fathom {

/// The smallest box of sequences, heads and rows round a set of rows, and how it lies in the
/// tensor.
struct Scope {
  std::vector<Index> sequences;
  std::vector<Index> heads;
  Index first_row = 0;
  Index last_row = 0;
  bool all_sequences = true;
  bool all_heads = true;
  bool all_rows = true;
  double filled = 0;  ///< Share of the live rows of the box that belong to the set.
  [[nodiscard]] bool everything() const { return all_sequences && all_heads && all_rows; }
};

using RowTest = std::function<bool(const RowError&)>;

/// `eligible` says which rows could belong to the set at all.
Scope scope_of(const Problem& problem, const TensorErrors& errors, const RowTest& in_set,
               const RowTest& eligible);

/// `query rows 64-127 of head 1 of sequence 0`; empty if the scope is everything.
std::string to_text(const Scope& scope, TensorName name);

/// `1`, `2-5`, `0, 3 and 4`.
std::string list_text(const std::vector<Index>& values);

/// Whether rows [first, last] begin and end at edges of tiles of 16 or a multiple (or at the end).
bool is_tiled(Index first, Index last, Index rows);

}  // namespace fathom
