// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/fill.h"
#include "harness/core/problem.h"
#include "harness/core/tensor.h"

#include <cstdint>
#include <span>

namespace fathom {

/// One row of one input tensor: where it is, and all that its numbers may depend on.
struct Row {
  const Problem& problem;
  std::uint64_t seed = 0;
  TensorName tensor = TensorName::q;
  Index tokens_before = 0;  ///< Rows of the sequences before this one.
  Index heads = 1;          ///< Of this tensor.
  Index sequence = 0;
  Index head = 0;
  Index row = 0;  ///< Within the sequence.
};

/// Writes the channels of a row, not yet rounded to storage.
using RowMaker = void (*)(const Row& row, std::span<double> channels);

RowMaker row_maker(Fill fill, TensorName tensor);

}  // namespace fathom
