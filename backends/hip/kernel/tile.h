// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/arguments.h"
#include "backends/hip/kernel/defects.h"

namespace fathom::hip {

/// Rows x Columns 16-bit elements in shared memory, in chunks of 16 bytes that are shuffled inside
/// their row so that the rows that a wave reads together lie in different banks.
template <int Rows, int Columns>
struct Tile {
  static constexpr int bytes = Rows * Columns * 2;
  static constexpr int row_bytes = Columns * 2;

  Shared field;

  FATHOM_DEVICE static constexpr int offset(int row, int chunk) {
    if constexpr (row_bytes % 128 == 0) {
      return row * row_bytes + ((chunk ^ ((row ^ (row >> 3 & 3)) & 7)) * 16);
    } else if constexpr (row_bytes % 64 == 0) {
      return row * row_bytes + ((chunk ^ (row >> 1 & 3)) * 16);  // Two bits: d = 96 has 12 chunks.
    } else {
      return chunk * Rows * 16 + row * 16;
    }
  }
};

/// How the rows of a tile feed the products of a Shape: all operands come in this order.
template <typename Shape, int Columns>
struct Feed {
  static constexpr int steps = Columns / Shape::k;
  /// Two steps at a time with one 16-byte read, where the row is long enough.
  static constexpr bool paired = Shape::pair == 2 && steps % 2 == 0;
  /// Steps of one call: on devices few, so that few registers hold operands; the host does all.
  static constexpr int block = on_host ? steps : (paired || steps % 2 == 0 ? 2 : 1);
};

/// Reads `Steps` steps of the operand whose rows lie in `tile`; the lane's row is row + y.
template <typename Shape, int Steps, int Rows, int Columns>
FATHOM_DEVICE void load_right(const Tile<Rows, Columns>& tile, int row, int step,
                              Words<Shape::r_size / 2>* r) {
  if constexpr (Shape::has_matrix_loads) {
    constexpr int matrices = 2 * Steps;
    static_assert(Shape::y == 8 && Shape::k == 16);
    FATHOM_UNROLL
    for (int i = 0; i < Steps; i += 2) {
      constexpr int count = matrices % 4 == 0 ? 4 : 2;
      const auto words = load_matrices<count>(tile.field, [&](int lane) {
        return tile.offset(row + lane % 8, 2 * (step + i) + lane / 8 % count);
      });
      FATHOM_UNROLL
      for (int w = 0; w < count; ++w) r[i + w / 2][w % 2] = words[w];
    }
  } else if constexpr (Feed<Shape, Columns>::paired) {
    const int lane = lane_id();
    FATHOM_UNROLL
    for (int i = 0; i < Steps; i += 2) {
      const int chunk = Shape::chunk(lane, (step + i) / 2);
      const Words<4> words =
          load_shared<4>(tile.field, tile.offset(row + Shape::r_at(lane, 0).y, chunk));
      r[i] = {words[0], words[1]};
      r[i + 1] = {words[2], words[3]};
    }
  } else {
    const int lane = lane_id();
    const auto place = Shape::r_at(lane, 0);
    FATHOM_UNROLL
    for (int i = 0; i < Steps; ++i) {
      const int at = (step + i) * Shape::k + place.k;
      r[i] = load_shared<2>(tile.field, tile.offset(row + place.y, at / 8) + at % 8 * 2);
    }
  }
}

/// The left operand of products over channels, where it lies in shared memory (mma.sync only).
template <typename Shape, int Steps, int Rows, int Columns>
FATHOM_DEVICE void load_left(const Tile<Rows, Columns>& tile, int row, int step,
                             Words<Shape::l_size / 2>* l) {
  static_assert(Shape::has_matrix_loads && Shape::x == 16 && Shape::k == 16);
  FATHOM_UNROLL
  for (int i = 0; i < Steps; ++i) {
    l[i] = load_matrices<4>(tile.field, [&](int lane) {
      return tile.offset(row + lane % 16, 2 * (step + i) + lane / 16);
    });
  }
}

/// Where rows of one head lie in global memory: rows from `end` on are zero, whatever lies there,
/// since NaN times a weight of 0 is NaN. `first_row` is the same in all lanes, `row` a small number
/// of the lane's own: so addresses are a scalar and 32 bits a lane.
struct Source {
  Global<const uint16_t> memory;
  int64_t first;  ///< Element of row 0.
  int stride;
  int end;

  [[nodiscard]] FATHOM_DEVICE Words<4> chunk(int first_row, int row, int at) const {
    if (row >= end - first_row && !planted(Defect::tail_not_zeroed)) return Words<4>{};
    return load_global(memory, first + static_cast<int64_t>(first_row) * stride,
                       row * stride + 8 * at);
  }
};

template <typename T>
FATHOM_DEVICE Source source_of(const Rows<T>& rows, int sequence, int token, int head, int end) {
  return {rows.memory, rows.at(sequence, token, head), static_cast<int>(rows.token_stride), end};
}

/// A tile on its way from global to shared memory, in the registers of a block of `Threads`: each
/// thread carries pieces of 4 rows x 8 channels, which it can also store transposed.
template <int Rows, int Columns, int Threads>
class Staged {
  static constexpr int chunks = Columns / 8;
  static constexpr int pieces = Rows / 4 * chunks;
  static constexpr int mine = (pieces + Threads - 1) / Threads;

 public:
  FATHOM_DEVICE void load(const Source& source, int first_row, int thread) {
    FATHOM_UNROLL
    for (int i = 0; i < mine; ++i) {
      const int piece = thread + i * Threads;
      if (pieces % Threads != 0 && piece >= pieces) continue;
      FATHOM_UNROLL
      for (int row = 0; row < 4; ++row) {
        words_[i][row] = source.chunk(first_row, 4 * group_of(piece) + row, chunk_of(piece));
      }
    }
  }

  FATHOM_DEVICE void store(const Tile<Rows, Columns>& tile, int thread) const {
    FATHOM_UNROLL
    for (int i = 0; i < mine; ++i) {
      const int piece = thread + i * Threads;
      if (pieces % Threads != 0 && piece >= pieces) continue;
      if (planted(Defect::unwritten_rows) && 4 * group_of(piece) + 4 == Rows) continue;
      FATHOM_UNROLL
      for (int row = 0; row < 4; ++row) {
        store_shared(tile.field, tile.offset(4 * group_of(piece) + row, chunk_of(piece)),
                     words_[i][row]);
      }
    }
  }

  template <typename Shape>
  FATHOM_DEVICE void store_transposed(const Tile<Columns, Rows>& tile, int thread) const {
    FATHOM_UNROLL
    for (int i = 0; i < mine; ++i) {
      const int piece = thread + i * Threads;
      if (pieces % Threads != 0 && piece >= pieces) continue;
      int slot = group_of(piece);
      if (Feed<Shape, Rows>::paired && !planted(Defect::slots_left_out)) slot = Shape::slot(slot);
      FATHOM_UNROLL
      for (int pair = 0; pair < 4; ++pair) {
        const uint32_t a = words_[i][0][pair];
        const uint32_t b = words_[i][1][pair];
        const uint32_t c = words_[i][2][pair];
        const uint32_t d = words_[i][3][pair];
        const int channel = 8 * chunk_of(piece) + 2 * pair;
        const int half = slot % 2 * 8;
        store_shared(tile.field, tile.offset(channel, slot / 2) + half,
                     Words<2>{low_halves(a, b), low_halves(c, d)});
        store_shared(tile.field, tile.offset(channel + 1, slot / 2) + half,
                     Words<2>{high_halves(a, b), high_halves(c, d)});
      }
    }
  }

 private:
  // Neighbouring lanes take the chunks of a row, so that they read and write whole lines.
  FATHOM_DEVICE static constexpr int chunk_of(int piece) { return piece % chunks; }
  FATHOM_DEVICE static constexpr int group_of(int piece) { return piece / chunks; }

  Words<4> words_[mine][4];
};

}  // namespace fathom::hip
