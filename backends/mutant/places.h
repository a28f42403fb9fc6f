// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/mutant/seams.h"

namespace fathom::mutant {

// Where defects are planted: places that exist at any length and are named by it. A place in the
// middle needs two tiles at least, so that something of the answer stays right.

inline bool is_middle_tile(Index row, Index length) {
  const Index tiles = tile_count(length);
  return tiles > 1 && row / tile_size == tiles / 2;
}
inline bool is_middle_of_keys(const Tile& tile) {
  return is_middle_tile(tile.key, tile.at.lengths().key_length);
}
inline bool is_middle_of_queries(const Tile& tile) {
  return is_middle_tile(tile.row, tile.at.lengths().query_length);
}
inline bool is_last_of_keys(const Tile& tile) {
  return tile.key / tile_size + 1 == tile_count(tile.at.lengths().key_length);
}

inline Index sequence_count(const Head& head) {
  return static_cast<Index>(head.problem().sequences.size());
}
inline bool is_backward(const Head& head) {
  return head.pass == Pass::backward;
}
inline bool is_key_or_value(TensorName name) {
  return name == TensorName::k || name == TensorName::v;
}

template <typename Term>
bool is(const MaskTerm& term) {
  return std::holds_alternative<Term>(term);
}

/// Whether a call is one of those in which a race is lost: the second, and then every third.
inline bool is_unlucky(const Call& call) {
  return call.number % 3 == 1;
}

}  // namespace fathom::mutant
