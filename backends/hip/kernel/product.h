// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/tile.h"

#include <type_traits>

namespace fathom::hip {

/// How one kernel is cut: a block of `Waves` waves owns XTiles x tiles a wave and walks over inner
/// tiles of `Inner` rows. LeftShared: the operands that stay are kept in shared memory, not in
/// registers. Prefetch: the next inner tile is loaded while this one is computed. Slices: blocks
/// that share the channels of the result, where one cannot hold them all.
template <typename ShapeT, typename ElementT, int Dim, int Waves, int XTiles, int Inner,
          bool LeftShared, bool Prefetch, int Slices = 1>
struct Config {
  using Shape = ShapeT;
  using Element = ElementT;
  static constexpr int dim = Dim;
  static constexpr int waves = Waves;
  static constexpr int threads = Waves * Shape::wave;
  static constexpr int x_tiles = XTiles;
  static constexpr int wave_rows = XTiles * Shape::x;
  static constexpr int rows = Waves * wave_rows;  ///< Of the operand that stays, a block.
  static constexpr int inner = Inner;
  static constexpr bool left_shared = LeftShared;
  static constexpr bool prefetch = Prefetch;
  static constexpr int slices = Slices;
  static constexpr int y_tiles = Inner / Shape::y;
  static constexpr int channel_tiles = Dim / Slices / Shape::y;
  using Resident = Tile<rows, Dim>;
  using InnerTile = Tile<Inner, Dim>;
  using TransposedTile = Tile<Dim, Inner>;
  using Loader = Staged<Inner, Dim, threads>;
};

template <typename Shape, int XTiles, int YTiles>
struct Accumulators {
  Floats<Shape::d_size> tile[XTiles][YTiles];

  FATHOM_DEVICE void clear() {
    FATHOM_UNROLL
    for (int x = 0; x < XTiles; ++x) {
      FATHOM_UNROLL
      for (int y = 0; y < YTiles; ++y) {
        FATHOM_UNROLL
        for (int e = 0; e < Shape::d_size; ++e) tile[x][y][e] = 0;
      }
    }
  }
};

/// The numbers of D, rounded, as the left operand of a product over y: the same registers in the
/// same order.
template <typename Shape, int XTiles, int Steps>
struct LeftWords {
  Words<Shape::l_size / 2> words[XTiles][Steps];

  template <int Count>
  FATHOM_DEVICE const Words<Shape::l_size / 2>* read(int x_tile, int step,
                                                     Words<Shape::l_size / 2>* /*room*/) const {
    return &words[x_tile][step];
  }
};

template <typename Element, typename Shape, int XTiles, int YTiles>
FATHOM_DEVICE auto as_left(const Accumulators<Shape, XTiles, YTiles>& d) {
  constexpr int steps = YTiles * Shape::y / Shape::k;
  LeftWords<Shape, XTiles, steps> left;
  FATHOM_UNROLL
  for (int x = 0; x < XTiles; ++x) {
    FATHOM_UNROLL
    for (int at = 0; at < steps * Shape::l_size; at += 2) {
      const auto& tile = d.tile[x][at / Shape::d_size];
      const float low = tile[at % Shape::d_size];
      const float high = tile[at % Shape::d_size + 1];
      const uint32_t word = planted(Defect::operand_shrunk)
                                ? round2<Element>(low * 0.998F, high * 0.998F)
                                : round2<Element>(low, high);
      left.words[x][at / Shape::l_size][at % Shape::l_size / 2] = word;
    }
  }
  return left;
}

/// The rows that a wave keeps for its whole life (Q; K and V in the backward of the keys).
template <typename C>
class Kept {
  using Shape = typename C::Shape;
  using Word = Words<Shape::l_size / 2>;
  static constexpr int steps = C::dim / Shape::k;

 public:
  /// `row` is the first row of the block. Where the rows are kept in shared memory, a barrier must
  /// follow.
  FATHOM_DEVICE void load(const Source& source, int row, const Shared& field) {
    const int lane = lane_id();
    if constexpr (C::left_shared) {
      resident_ = {field};
      Staged<C::rows, C::dim, C::threads> staged;
      const int thread = wave_id() * Shape::wave + lane;
      staged.load(source, row, thread);
      staged.store(resident_, thread);
    } else {
      FATHOM_UNROLL
      for (int x = 0; x < C::x_tiles; ++x) {
        const int mine = wave_id() * C::wave_rows + x * Shape::x + Shape::l_at(lane, 0).x;
        FATHOM_UNROLL
        for (int step = 0; step < steps; step += 2) {
          const Words<4> words = source.chunk(row, mine, Shape::chunk(lane, step / 2));
          words_[x][step] = {words[0], words[1]};
          words_[x][step + 1] = {words[2], words[3]};
        }
      }
    }
  }

  template <int Count>
  FATHOM_DEVICE const Word* read(int x_tile, int step, Word* room) const {
    if constexpr (C::left_shared) {
      load_left<Shape, Count>(resident_, wave_id() * C::wave_rows + x_tile * Shape::x, step, room);
      return room;
    } else {
      return &words_[x_tile][step];
    }
  }

 private:
  struct Nothing {};
  using Registers = Word[C::x_tiles][steps];
  std::conditional_t<C::left_shared, typename C::Resident, Nothing> resident_;
  std::conditional_t<C::left_shared, Nothing[1][1], Registers> words_;
};

/// d[x][y] += left * right^T, the rows of the right operand from `row` on.
template <typename Element, typename Shape, int XTiles, int YTiles, typename Left, int Rows,
          int Columns>
FATHOM_DEVICE void multiply(const Left& left, const Tile<Rows, Columns>& right, int row,
                            Accumulators<Shape, XTiles, YTiles>& d) {
  using Order = Feed<Shape, Columns>;
  constexpr int count = Order::block;
  constexpr int tiles = on_host ? YTiles : 1;
  FATHOM_UNROLL
  for (int step = 0; step < Order::steps; step += count) {
    Words<Shape::l_size / 2> room[XTiles][count];
    const Words<Shape::l_size / 2>* l[XTiles];
    FATHOM_UNROLL
    for (int x = 0; x < XTiles; ++x) l[x] = left.template read<count>(x, step, room[x]);
    FATHOM_UNROLL
    for (int y = 0; y < YTiles; y += tiles) {
      Words<Shape::r_size / 2> r[tiles][count];
      FATHOM_UNROLL
      for (int t = 0; t < tiles; ++t) {
        load_right<Shape, count>(right, row + (y + t) * Shape::y, step, r[t]);
      }
      FATHOM_UNROLL
      for (int x = 0; x < XTiles; ++x) {
        multiply_add<Shape, Element, count, tiles>(&d.tile[x][y], l[x], r[0]);
      }
    }
  }
}

/// Stores rows of a result, times a factor for each of the lane's rows: rows first .. end of the
/// sequence, in the dtype of the inputs.
template <typename Element, typename Shape, int XTiles, int YTiles>
FATHOM_DEVICE void store_rows(const Accumulators<Shape, XTiles, YTiles>& d,
                              const float (&factors)[XTiles][Shape::rows], const Rows<uint16_t>& to,
                              int64_t origin, int first, int end, int channel) {
  const int lane = lane_id();
  FATHOM_UNROLL
  for (int x = 0; x < XTiles; ++x) {
    FATHOM_UNROLL
    for (int y = 0; y < YTiles; ++y) {
      FATHOM_UNROLL
      for (int e = 0; e < Shape::d_size; e += Shape::run) {
        const auto place = Shape::d_at(lane, e);
        const int row = first + x * Shape::x + place.x;
        if (row >= end && !(planted(Defect::tail_stored) && row == end)) continue;
        const float factor = factors[x][Shape::row_of(e)];
        Words<Shape::run / 2> words;
        FATHOM_UNROLL
        for (int w = 0; w < Shape::run / 2; ++w) {
          words[w] = round2<Element>(d.tile[x][y][e + 2 * w] * factor,
                                     d.tile[x][y][e + 2 * w + 1] * factor);
        }
        store_global(to.memory, origin + row * to.token_stride + channel + y * Shape::y + place.y,
                     words);
      }
    }
  }
}

}  // namespace fathom::hip
