// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/mask.h"
#include "backends/hip/kernel/product.h"

namespace fathom::hip {

inline constexpr float log2_e = 1.44269504088896341F;
inline constexpr float ln_2 = 0.69314718055994531F;
inline constexpr float infinity = __builtin_huge_valf();

/// P is computed with this much more in the exponent: half-precision matrix units may flush what
/// lies below 2^-14, and the sum l would still count it.
template <typename Element>
inline constexpr float exponent_shift = Element::is_half ? 10.0F : 0.0F;

/// Shared memory of the forward kernel.
template <typename C>
struct ForwardPlan {
  static constexpr int k = 0;
  static constexpr int v = k + C::InnerTile::bytes;
  static constexpr int q = v + C::TransposedTile::bytes;
  static constexpr int bytes = q + (C::left_shared ? C::Resident::bytes : 0);
};

/// One lane of the forward kernel. Block: C::rows queries of one head of one sequence; x is the
/// query, y the key, then the channel of V.
template <typename C>
class ForwardLane {
  using Shape = typename C::Shape;
  using Element = typename C::Element;
  using Plan = ForwardPlan<C>;
  static constexpr int x_tiles = C::x_tiles;
  static constexpr int y_tiles = C::y_tiles;
  using Statistic = float[x_tiles][Shape::rows];

 public:
  FATHOM_DEVICE ForwardLane(const Arguments& arguments, Arena arena)
      : a_(arguments),
        k_{shared_field(arena, Plan::k, C::InnerTile::bytes, "K")},
        v_{shared_field(arena, Plan::v, C::TransposedTile::bytes, "V transposed")},
        q_field_(shared_field(arena, Plan::q, C::Resident::bytes, "Q")),
        lane_(lane_id()),
        thread_(wave_id() * Shape::wave + lane_),
        head_(block_y()) {}

  FATHOM_DEVICE void run() {
    const BlockRows rows = find_rows(a_.sequences.cu_q, a_.sequences.count, C::rows, block_x());
    sequence_ = first_lane(rows.sequence);
    first_ = first_lane(rows.first);
    mask_ = mask_of(a_.sequences, a_.mask, sequence_);
    if (first_ < 0 || first_ >= mask_.queries) return;
    begin();
    const TileRange tiles =
        mask_.key_tiles({first_, least(first_ + C::rows, mask_.queries)}, C::inner);
    walk(tiles);
    finish();
  }

 private:
  FATHOM_DEVICE void begin() {
    scale_ = a_.scale * log2_e;
    const int query = first_lane(load_one(a_.sequences.cu_q, sequence_));
    const int key = first_lane(load_one(a_.sequences.cu_k, sequence_));
    const int kv_head = head_ / a_.group;
    q_.load(source_of(a_.q, sequence_, query, head_, mask_.queries), first_, q_field_);
    k_source_ = source_of(a_.k, sequence_, key, kv_head, mask_.keys);
    v_source_ = source_of(a_.v, sequence_, key, kv_head, mask_.keys);
    o_.clear();
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int row = 0; row < Shape::rows; ++row) {
        max_[x][row] = -infinity;
        sum_[x][row] = 0;
        keys_[x][row] = mask_.keys_of(row_of(x, row));
      }
    }
  }

  /// The lane's row-th query of x tile `x`, inside the sequence.
  [[nodiscard]] FATHOM_DEVICE int row_of(int x, int row) const {
    const int e = row * (Shape::d_size / Shape::rows);
    return first_ + wave_id() * C::wave_rows + x * Shape::x + Shape::d_at(lane_, e).x;
  }

  FATHOM_DEVICE void walk(const TileRange& tiles) {
    const int end = first_lane(tiles.visited.end);
    const Interval full{first_lane(tiles.full.begin), first_lane(tiles.full.end)};
    int tile = first_lane(tiles.visited.begin);
    if (C::prefetch && tile < end) load(tile);
    for (; tile < end; ++tile) {
      if (planted(Defect::divergent_barrier) && wave_id() == 1) return;
      if (!planted(Defect::no_barrier_before_store)) barrier();
      fill(tile, tile == tiles.visited.begin);
      if (!planted(Defect::no_barrier_after_store)) barrier();
      if (C::prefetch && tile + 1 < end) load(tile + 1);
      count_tile();
      attend(tile * C::inner, tile < full.begin || tile >= full.end);
    }
  }

  FATHOM_DEVICE void load(int tile) {
    staged_k_.load(k_source_, tile * C::inner, thread_);
    staged_v_.load(v_source_, tile * C::inner, thread_);
  }

  /// Puts a tile into shared memory; what was not loaded ahead passes through registers in turn.
  FATHOM_DEVICE void fill(int tile, bool is_first) {
    if (!C::prefetch) staged_k_.load(k_source_, tile * C::inner, thread_);
    staged_k_.store(k_, thread_);
    if (planted(Defect::stale_tile) && !is_first) return;
    if (!C::prefetch) staged_v_.load(v_source_, tile * C::inner, thread_);
    staged_v_.template store_transposed<Shape>(v_, thread_);
  }

  /// One step of the online softmax: keys first_key .. first_key + C::inner. One body for full and
  /// partial tiles: two would keep the addresses of both in registers.
  FATHOM_DEVICE void attend(int first_key, bool masked) {
    Accumulators<Shape, x_tiles, y_tiles> s;
    s.clear();
    multiply<Element>(q_, k_, 0, s);
    if (masked) hide(s, first_key);
    Statistic most;
    row_maxima(s, most);
    Statistic factor;
    bool rescales = false;
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int row = 0; row < Shape::rows; ++row) {
        // A row that has seen masked keys only: 0 in place of -infinity, so that exp2 gives 0.
        const float now = most[x][row] == -infinity ? 0.0F : most[x][row] * scale_;
        factor[x][row] = exp2_fast(max_[x][row] * scale_ - now);
        rescales = rescales || factor[x][row] != 1;
        max_[x][row] = most[x][row];
        most[x][row] = exponent_shift<Element> - now;
      }
    }
    weigh(s, most, factor);
    if (planted(Defect::rescale_left_out)) rescales = false;
    rescales = any(rescales);
    if (rescales && !planted(Defect::rescale_after_product)) rescale(factor);
    multiply<Element>(as_left<Element>(s), v_, 0, o_);
    if (rescales && planted(Defect::rescale_after_product)) rescale(factor);
  }

  FATHOM_DEVICE void hide(Accumulators<Shape, x_tiles, y_tiles>& s, int first_key) const {
    const int lane = planted(Defect::lane_swapped) ? lane_ ^ Shape::first_partner : lane_;
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int y = 0; y < y_tiles; ++y) {
        FATHOM_UNROLL
        for (int e = 0; e < Shape::d_size; ++e) {
          const Interval& seen = keys_[x][Shape::row_of(e)];
          const int key = first_key + y * Shape::y + Shape::d_at(lane, e).y;
          // Not holds(): that takes a register more, which d = 128 does not have with clang 15.
          if (key < seen.begin || key >= seen.end) s.tile[x][y][e] = -infinity;
        }
      }
    }
  }

  FATHOM_DEVICE void row_maxima(const Accumulators<Shape, x_tiles, y_tiles>& s,
                                Statistic& most) const {
    float flat[x_tiles * Shape::rows];
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int row = 0; row < Shape::rows; ++row) flat[x * Shape::rows + row] = max_[x][row];
      FATHOM_UNROLL
      for (int y = 0; y < y_tiles; ++y) {
        FATHOM_UNROLL
        for (int e = 0; e < Shape::d_size; ++e) {
          float& mine = flat[x * Shape::rows + Shape::row_of(e)];
          mine = Maximum::of(s.tile[x][y][e], mine);
        }
      }
    }
    reduce_row<Shape, Maximum>(flat);
    FATHOM_UNROLL
    for (int i = 0; i < x_tiles * Shape::rows; ++i)
      most[i / Shape::rows][i % Shape::rows] = flat[i];
  }

  /// Scores to weights, and the lane's part of their sums, which take the unrounded weights.
  FATHOM_DEVICE void weigh(Accumulators<Shape, x_tiles, y_tiles>& s, const Statistic& offset,
                           const Statistic& factor) {
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      float sums[Shape::rows];
      FATHOM_UNROLL
      for (int row = 0; row < Shape::rows; ++row) sums[row] = 0;
      FATHOM_UNROLL
      for (int y = 0; y < y_tiles; ++y) {
        FATHOM_UNROLL
        for (int e = 0; e < Shape::d_size; ++e) {
          const int row = Shape::row_of(e);
          const float p = exp2_fast(fused(s.tile[x][y][e], scale_, offset[x][row]));
          s.tile[x][y][e] = p;
          sums[row] += p;
        }
      }
      FATHOM_UNROLL
      for (int row = 0; row < Shape::rows; ++row) {
        sum_[x][row] = sum_[x][row] * factor[x][row] + sums[row];
      }
    }
  }

  FATHOM_DEVICE void rescale(const Statistic& factor) {
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int y = 0; y < C::channel_tiles; ++y) {
        FATHOM_UNROLL
        for (int e = 0; e < Shape::d_size; ++e) {
          o_.tile[x][y][e] *= factor[x][Shape::row_of(e)];
        }
      }
    }
  }

  FATHOM_DEVICE void finish() {
    float flat[x_tiles * Shape::rows];
    FATHOM_UNROLL
    for (int i = 0; i < x_tiles * Shape::rows; ++i)
      flat[i] = sum_[i / Shape::rows][i % Shape::rows];
    reduce_row<Shape, Sum>(flat);
    const int token = first_lane(load_one(a_.sequences.cu_q, sequence_));
    Statistic inverse;
    FATHOM_UNROLL
    for (int i = 0; i < x_tiles * Shape::rows; ++i) {
      const int x = i / Shape::rows;
      const int row = i % Shape::rows;
      inverse[x][row] = flat[i] > 0 ? 1.0F / flat[i] : 0.0F;
      const int query = row_of(x, row);
      if (a_.lse.memory.data == nullptr || query >= mask_.queries || !Shape::leads(lane_)) continue;
      const float lse =
          (max_[x][row] * scale_ + (log2_fast(flat[i]) - exponent_shift<Element>)) * ln_2;
      store_one(a_.lse.memory, a_.lse.at(sequence_, token + query, head_),
                flat[i] > 0 ? lse : -infinity);
    }
    store_rows<Element>(o_, inverse, a_.o, a_.o.at(sequence_, token, head_),
                        first_ + wave_id() * C::wave_rows, mask_.queries, 0);
  }

  const Arguments& a_;
  typename C::InnerTile k_;
  typename C::TransposedTile v_;
  Shared q_field_;
  int lane_;
  int thread_;
  int head_;
  int sequence_ = 0;
  int first_ = 0;
  SequenceMask mask_{};
  float scale_ = 0;  ///< In base 2.
  Kept<C> q_;
  Source k_source_;
  Source v_source_;
  typename C::Loader staged_k_;
  typename C::Loader staged_v_;
  Interval keys_[x_tiles][Shape::rows];
  Statistic max_;
  Statistic sum_;  ///< Of this lane's keys; the lanes of a row meet in the end.
  Accumulators<Shape, x_tiles, C::channel_tiles> o_;
};

template <typename C>
FATHOM_DEVICE void forward(const Arguments& arguments, Arena arena) {
  ForwardLane<C>(arguments, arena).run();
}

}  // namespace fathom::hip
