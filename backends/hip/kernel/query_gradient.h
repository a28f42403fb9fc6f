// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/gradient.h"

namespace fathom::hip {

/// Shared memory of the kernel for dQ.
template <typename C>
struct QueryGradientPlan {
  static constexpr int k = 0;
  static constexpr int k_transposed = k + C::InnerTile::bytes;
  static constexpr int v = k_transposed + C::TransposedTile::bytes;
  static constexpr int q = v + C::InnerTile::bytes;
  static constexpr int dout = q + (C::left_shared ? C::Resident::bytes : 0);
  static constexpr int bytes = dout + (C::left_shared ? C::Resident::bytes : 0);
};

/// One lane of the kernel for dQ. Block: C::rows queries of one head; x is the query, y the key,
/// then the channel.
template <typename C>
class QueryGradientLane {
  using Shape = typename C::Shape;
  using Element = typename C::Element;
  using Plan = QueryGradientPlan<C>;
  using Scores = Accumulators<Shape, C::x_tiles, C::y_tiles>;
  static constexpr int x_tiles = C::x_tiles;
  static constexpr int y_tiles = C::y_tiles;
  using Statistic = float[x_tiles][Shape::rows];

 public:
  FATHOM_DEVICE QueryGradientLane(const Arguments& arguments, Arena arena)
      : a_(arguments),
        k_{shared_field(arena, Plan::k, C::InnerTile::bytes, "K")},
        k_transposed_{
            shared_field(arena, Plan::k_transposed, C::TransposedTile::bytes, "K transposed")},
        v_{shared_field(arena, Plan::v, C::InnerTile::bytes, "V")},
        q_field_(shared_field(arena, Plan::q, C::Resident::bytes, "Q")),
        dout_field_(shared_field(arena, Plan::dout, C::Resident::bytes, "dO")),
        lane_(lane_id()),
        thread_(wave_id() * Shape::wave + lane_),
        head_(block_y() / C::slices),
        channel_(block_y() % C::slices * (C::dim / C::slices)) {}

  FATHOM_DEVICE void run() {
    const BlockRows rows = find_rows(a_.sequences.cu_q, a_.sequences.count, C::rows, block_x());
    sequence_ = first_lane(rows.sequence);
    first_ = first_lane(rows.first);
    mask_ = mask_of(a_.sequences, a_.mask, sequence_);
    if (first_ < 0 || first_ >= mask_.queries) return;
    begin();
    walk_tiles<C>(mask_.key_tiles({first_, least(first_ + C::rows, mask_.queries)}, C::inner),
                  *this);
    Statistic scales;
    FATHOM_UNROLL
    for (int i = 0; i < x_tiles * Shape::rows; ++i) {
      scales[i / Shape::rows][i % Shape::rows] = a_.scale;
    }
    store_rows<Element>(dq_, scales, a_.dq, a_.dq.at(sequence_, query_, head_),
                        first_ + wave_id() * C::wave_rows, mask_.queries, channel_);
  }

  // The steps of walk_tiles.

  FATHOM_DEVICE void load(int tile) {
    staged_k_.load(k_source_, tile * C::inner, thread_);
    staged_v_.load(v_source_, tile * C::inner, thread_);
  }

  FATHOM_DEVICE void fill(int tile) {
    if (!C::prefetch) staged_k_.load(k_source_, tile * C::inner, thread_);
    staged_k_.store(k_, thread_);
    staged_k_.template store_transposed<Shape>(k_transposed_, thread_);
    if (!C::prefetch) staged_v_.load(v_source_, tile * C::inner, thread_);
    staged_v_.store(v_, thread_);
  }

  FATHOM_DEVICE void attend(int first_key, bool masked) {
    Scores p;
    p.clear();
    multiply<Element>(q_, k_, 0, p);
    weigh(p);
    if (masked) hide(p, keys_, first_key, lane_);
    Scores dp;
    dp.clear();
    multiply<Element>(dout_, v_, 0, dp);
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int y = 0; y < y_tiles; ++y) {
        FATHOM_UNROLL
        for (int e = 0; e < Shape::d_size; ++e) {
          const float weight = p.tile[x][y][e];
          float& number = dp.tile[x][y][e];
          number = weight == 0 ? 0.0F : weight * (number - delta_[x][Shape::row_of(e)]);
        }
      }
    }
    multiply<Element>(as_left<Element>(dp), k_transposed_, channel_, dq_);
  }

 private:
  FATHOM_DEVICE void begin() {
    scale_ = a_.scale * log2_e;
    query_ = first_lane(load_one(a_.sequences.cu_q, sequence_));
    const int key = first_lane(load_one(a_.sequences.cu_k, sequence_));
    const int kv_head = head_ / a_.group;
    q_.load(source_of(a_.q, sequence_, query_, head_, mask_.queries), first_, q_field_);
    dout_.load(source_of(a_.dout, sequence_, query_, head_, mask_.queries), first_, dout_field_);
    k_source_ = source_of(a_.k, sequence_, key, kv_head, mask_.keys);
    v_source_ = source_of(a_.v, sequence_, key, kv_head, mask_.keys);
    dq_.clear();
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int row = 0; row < Shape::rows; ++row) {
        const int e = row * (Shape::d_size / Shape::rows);
        const int query =
            first_ + wave_id() * C::wave_rows + x * Shape::x + Shape::d_at(lane_, e).x;
        keys_[x][row] = mask_.keys_of(query);
        log2_[x][row] = infinity;
        delta_[x][row] = 0;
        if (query >= mask_.queries) continue;
        const int64_t at = a_.row_log2.at(sequence_, query_ + query, head_);
        log2_[x][row] = load_one(a_.row_log2.memory, at);
        delta_[x][row] = load_one(a_.row_delta.memory, at);
      }
    }
  }

  FATHOM_DEVICE void weigh(Scores& s) const {
    FATHOM_UNROLL
    for (int x = 0; x < x_tiles; ++x) {
      FATHOM_UNROLL
      for (int y = 0; y < y_tiles; ++y) {
        FATHOM_UNROLL
        for (int e = 0; e < Shape::d_size; ++e) {
          float& number = s.tile[x][y][e];
          number = exp2_fast(fused(number, scale_, -log2_[x][Shape::row_of(e)]));
        }
      }
    }
  }

  const Arguments& a_;
  typename C::InnerTile k_;
  typename C::TransposedTile k_transposed_;
  typename C::InnerTile v_;
  Shared q_field_;
  Shared dout_field_;
  int lane_;
  int thread_;
  int head_;
  int channel_;  ///< First channel of the block's slice of dQ.
  int sequence_ = 0;
  int first_ = 0;
  int query_ = 0;
  SequenceMask mask_{};
  float scale_ = 0;
  Kept<C> q_;
  Kept<C> dout_;
  Source k_source_;
  Source v_source_;
  typename C::Loader staged_k_;
  typename C::Loader staged_v_;
  Interval keys_[x_tiles][Shape::rows];
  Statistic log2_;
  Statistic delta_;
  Accumulators<Shape, x_tiles, C::channel_tiles> dq_;
};

template <typename C>
FATHOM_DEVICE void query_gradient(const Arguments& arguments, Arena arena) {
  QueryGradientLane<C>(arguments, arena).run();
}

}  // namespace fathom::hip
