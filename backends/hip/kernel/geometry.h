// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/arguments.h"

#include <cstdint>

namespace fathom::hip {

/// What Q, K, V, O and their gradients are stored in.
enum class ElementType : std::uint8_t { bf16, f16 };

/// In the order of their launches: a backward pass is the last three.
enum class Kernel : std::uint8_t { forward, row_data, key_gradient, query_gradient };

/// How a kernel is cut, and what a launch of it takes.
struct Geometry {
  int rows;    ///< Tokens of a block: keys in key_gradient, queries elsewhere.
  int inner;   ///< Tokens of the tiles that a block walks over.
  int slices;  ///< Blocks that share the channels of a head.
  int waves;   ///< Of a block.
  int wave;    ///< Lanes of a wave.
  int shared_bytes;
};

struct Grid {
  int x, y;
};

/// Blocks for all tokens and heads. Where a block belongs to one sequence, each sequence may leave
/// one of its blocks unfilled, as find_rows() has it, so that nobody need know the lengths.
inline Grid grid_of(Kernel kernel, const Geometry& geometry, const Arguments& a) {
  const bool by_keys = kernel == Kernel::key_gradient;
  const int tokens = by_keys ? a.sequences.key_tokens : a.sequences.query_tokens;
  const int heads = by_keys ? a.query_heads / a.group : a.query_heads;
  const int blocks = kernel == Kernel::row_data ? (tokens + geometry.rows - 1) / geometry.rows
                                                : tokens / geometry.rows + a.sequences.count;
  return {blocks, heads * geometry.slices};
}

/// The kernels of one head dim and element type; `Entry` is how a platform calls one.
template <typename Entry>
struct KernelSet {
  struct One {
    Geometry geometry;
    Entry entry;
  };
  ElementType element;
  int head_dim;
  One kernels[4];

  [[nodiscard]] const One& operator[](Kernel kernel) const {
    return kernels[static_cast<int>(kernel)];
  }
};

/// Null if no kernel is built for this head dim and element type.
template <typename Sets>
auto find_kernels(const Sets& sets, ElementType element, int head_dim) -> decltype(&sets[0]) {
  for (const auto& set : sets) {
    if (set.element == element && set.head_dim == head_dim) return &set;
  }
  return nullptr;
}

}  // namespace fathom::hip
