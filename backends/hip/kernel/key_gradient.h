// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/gradient.h"

namespace fathom::hip {

/// Shared memory of the kernel for dK and dV.
template <typename C>
struct KeyGradientPlan {
  static constexpr int q = 0;
  static constexpr int q_transposed = q + C::InnerTile::bytes;
  static constexpr int dout = q_transposed + C::TransposedTile::bytes;
  static constexpr int dout_transposed = dout + C::InnerTile::bytes;
  static constexpr int log2 = dout_transposed + C::TransposedTile::bytes;
  static constexpr int delta = log2 + 4 * C::inner;
  static constexpr int k = delta + 4 * C::inner;
  static constexpr int v = k + (C::left_shared ? C::Resident::bytes : 0);
  static constexpr int bytes = v + (C::left_shared ? C::Resident::bytes : 0);
};

/// One lane of the kernel for dK and dV. Block: C::rows keys of one KV head of one sequence, walked
/// over all queries of all query heads of its group; x is the key, y the query, then the channel.
template <typename C>
class KeyGradientLane {
  using Shape = typename C::Shape;
  using Element = typename C::Element;
  using Plan = KeyGradientPlan<C>;
  using Scores = Accumulators<Shape, C::x_tiles, C::y_tiles>;
  static constexpr int x_tiles = C::x_tiles;
  static constexpr int y_tiles = C::y_tiles;

 public:
  FATHOM_DEVICE KeyGradientLane(const Arguments& arguments, Arena arena)
      : a_(arguments),
        q_{shared_field(arena, Plan::q, C::InnerTile::bytes, "Q")},
        q_transposed_{
            shared_field(arena, Plan::q_transposed, C::TransposedTile::bytes, "Q transposed")},
        dout_{shared_field(arena, Plan::dout, C::InnerTile::bytes, "dO")},
        dout_transposed_{
            shared_field(arena, Plan::dout_transposed, C::TransposedTile::bytes, "dO transposed")},
        log2_(shared_field(arena, Plan::log2, 4 * C::inner, "LSE")),
        delta_(shared_field(arena, Plan::delta, 4 * C::inner, "delta")),
        k_field_(shared_field(arena, Plan::k, C::Resident::bytes, "K")),
        v_field_(shared_field(arena, Plan::v, C::Resident::bytes, "V")),
        lane_(lane_id()),
        thread_(wave_id() * Shape::wave + lane_),
        kv_head_(block_y() / C::slices),
        channel_(block_y() % C::slices * (C::dim / C::slices)) {}

  FATHOM_DEVICE void run() {
    const BlockRows rows = find_rows(a_.sequences.cu_k, a_.sequences.count, C::rows, block_x());
    sequence_ = first_lane(rows.sequence);
    first_ = first_lane(rows.first);
    mask_ = mask_of(a_.sequences, a_.mask, sequence_);
    if (first_ >= mask_.keys) return;
    if (planted(Defect::empty_sequence_skipped) && mask_.queries == 0) return;
    begin();
    const TileRange tiles =
        mask_.query_tiles({first_, least(first_ + C::rows, mask_.keys)}, C::inner);
    for (int i = 0; i < a_.group; ++i) {
      if (planted(Defect::group_first_head_only) && i > 0) break;
      int head = kv_head_ * a_.group + i;
      if (planted(Defect::group_of_neighbour)) head = (head + a_.group) % a_.query_heads;
      head_ = head;
      q_source_ = source_of(a_.q, sequence_, query_, head, mask_.queries);
      dout_source_ = source_of(a_.dout, sequence_, query_, head, mask_.queries);
      walk_tiles<C>(tiles, *this);
    }
    finish();
  }

  // The steps of walk_tiles.

  FATHOM_DEVICE void load(int tile) {
    staged_q_.load(q_source_, tile * C::inner, thread_);
    staged_dout_.load(dout_source_, tile * C::inner, thread_);
    load_row_data(tile);
  }

  /// Puts a tile into shared memory; what was not loaded ahead passes through registers in turn.
  FATHOM_DEVICE void fill(int tile) {
    if (!C::prefetch) staged_q_.load(q_source_, tile * C::inner, thread_);
    staged_q_.store(q_, thread_);
    staged_q_.template store_transposed<Shape>(q_transposed_, thread_);
    if (!C::prefetch) staged_dout_.load(dout_source_, tile * C::inner, thread_);
    staged_dout_.store(dout_, thread_);
    staged_dout_.template store_transposed<Shape>(dout_transposed_, thread_);
    if (!C::prefetch) load_row_data(tile);
    if (thread_ < C::inner) {
      store_shared_float(log2_, 4 * thread_, staged_log2_);
      store_shared_float(delta_, 4 * thread_, staged_delta_);
    }
  }

  /// Adds what the queries first_query .. first_query + C::inner of one head contribute.
  FATHOM_DEVICE void attend(int first_query, bool masked) {
    Scores p;
    p.clear();
    multiply<Element>(k_, q_, 0, p);
    weigh(p);
    if (masked) hide(p, queries_, first_query, lane_);
    multiply<Element>(as_left<Element>(p), dout_transposed_, channel_, dv_);
    Scores dp;
    dp.clear();
    multiply<Element>(v_, dout_, 0, dp);
    differentiate(p, dp);
    multiply<Element>(as_left<Element>(dp), q_transposed_, channel_, dk_);
  }

 private:
  FATHOM_DEVICE void begin() {
    scale_ = a_.scale * log2_e;
    query_ = first_lane(load_one(a_.sequences.cu_q, sequence_));
    key_ = first_lane(load_one(a_.sequences.cu_k, sequence_));
    k_.load(source_of(a_.k, sequence_, key_, kv_head_, mask_.keys), first_, k_field_);
    v_.load(source_of(a_.v, sequence_, key_, kv_head_, mask_.keys), first_, v_field_);
    dk_.clear();
    dv_.clear();
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int row = 0; row < Shape::rows; ++row) {
        const int e = row * (Shape::d_size / Shape::rows);
        queries_[x][row] = mask_.queries_of(first_ + wave_id() * C::wave_rows + x * Shape::x +
                                            Shape::d_at(lane_, e).x);
      }
    }
  }

  FATHOM_DEVICE void load_row_data(int tile) {
    int query = tile * C::inner + thread_;
    if (planted(Defect::row_data_of_neighbour)) ++query;
    staged_log2_ = infinity;
    staged_delta_ = 0;
    if (thread_ >= C::inner || query >= mask_.queries) return;
    const int64_t at = a_.row_log2.at(sequence_, query_ + query, head_);
    staged_log2_ = load_one(a_.row_log2.memory, at);
    staged_delta_ = load_one(a_.row_delta.memory, at);
  }

  FATHOM_DEVICE void weigh(Scores& s) const {
    FATHOM_UNROLL
    for (int y = 0; y < y_tiles; ++y) {
      FATHOM_UNROLL
      for (int e = 0; e < Shape::d_size; e += Shape::run) {
        const auto log2 =
            load_shared_floats<Shape::run>(log2_, 4 * (y * Shape::y + Shape::d_at(lane_, e).y));
        FATHOM_UNROLL
        for (int x = 0; x < x_tiles; ++x) {
          FATHOM_UNROLL
          for (int i = 0; i < Shape::run; ++i) {
            float& number = s.tile[x][y][e + i];
            number = exp2_fast(fused(number, scale_, -log2[i]));
          }
        }
      }
    }
  }

  /// dP to dS = P (dP - delta). Where P is 0, dS is: dP of a pair that the mask hides may be
  /// anything.
  FATHOM_DEVICE void differentiate(const Scores& p, Scores& dp) const {
    FATHOM_UNROLL
    for (int y = 0; y < y_tiles; ++y) {
      FATHOM_UNROLL
      for (int e = 0; e < Shape::d_size; e += Shape::run) {
        const auto delta =
            load_shared_floats<Shape::run>(delta_, 4 * (y * Shape::y + Shape::d_at(lane_, e).y));
        FATHOM_UNROLL
        for (int x = 0; x < x_tiles; ++x) {
          FATHOM_UNROLL
          for (int i = 0; i < Shape::run; ++i) {
            const float weight = p.tile[x][y][e + i];
            float& number = dp.tile[x][y][e + i];
            number = weight == 0 ? 0.0F : weight * (number - delta[i]);
          }
        }
      }
    }
  }

  FATHOM_DEVICE void finish() {
    float scales[x_tiles][Shape::rows];
    float ones[x_tiles][Shape::rows];
    FATHOM_UNROLL
    for (int i = 0; i < x_tiles * Shape::rows; ++i) {
      scales[i / Shape::rows][i % Shape::rows] =
          planted(Defect::dk_scaled_twice) ? a_.scale * a_.scale : a_.scale;
      ones[i / Shape::rows][i % Shape::rows] = 1;
    }
    const int first = first_ + wave_id() * C::wave_rows;
    store_rows<Element>(dk_, scales, a_.dk, a_.dk.at(sequence_, key_, kv_head_), first, mask_.keys,
                        channel_);
    store_rows<Element>(dv_, ones, a_.dv, a_.dv.at(sequence_, key_, kv_head_), first, mask_.keys,
                        channel_);
  }

  const Arguments& a_;
  typename C::InnerTile q_;
  typename C::TransposedTile q_transposed_;
  typename C::InnerTile dout_;
  typename C::TransposedTile dout_transposed_;
  Shared log2_;
  Shared delta_;
  Shared k_field_;
  Shared v_field_;
  int lane_;
  int thread_;
  int kv_head_;
  int channel_;  ///< First channel of the block's slice of dK and dV.
  int head_ = 0;
  int sequence_ = 0;
  int first_ = 0;
  int query_ = 0;  ///< First tokens of the sequence.
  int key_ = 0;
  SequenceMask mask_{};
  float scale_ = 0;
  Kept<C> k_;
  Kept<C> v_;
  Source q_source_;
  Source dout_source_;
  typename C::Loader staged_q_;
  typename C::Loader staged_dout_;
  float staged_log2_ = 0;
  float staged_delta_ = 0;
  Interval queries_[x_tiles][Shape::rows];
  Accumulators<Shape, x_tiles, C::channel_tiles> dk_;
  Accumulators<Shape, x_tiles, C::channel_tiles> dv_;
};

template <typename C>
FATHOM_DEVICE void key_gradient(const Arguments& arguments, Arena arena) {
  KeyGradientLane<C>(arguments, arena).run();
}

}  // namespace fathom::hip
