// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/kernel_backward.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::mutant {
namespace {

/// What one query head needs while the tiles of keys go by.
struct QueryHead {
  QueryHead(const Head& head, Matrix& dq_workspace)
      : at(head),
        q(open(head, TensorName::q)),
        k(open(head, TensorName::k)),
        v(open(head, TensorName::v)),
        dout(open(head, TensorName::dout)),
        lse(head.lengths().query_length),
        delta(head.lengths().query_length),
        dq(dq_workspace) {}
  Head at;
  Source q;
  Source k;
  Source v;
  Source dout;
  Column lse;
  Column delta;
  Matrix& dq;  ///< fp32 workspace, (queries, head_dim) at the top.
};

class Backward {
 public:
  Backward(const Call& call, const StoredLse& stored)
      : call_(call),
        seams_(call.seams),
        stored_(stored),
        q_(tile_size, call.problem.head_dim),
        k_(tile_size, call.problem.head_dim),
        v_(tile_size, call.problem.value_dim),
        dout_(tile_size, call.problem.value_dim),
        p_(tile_size, tile_size),
        rounded_p_(tile_size, tile_size),
        ds_(tile_size, tile_size),
        dk_(Matrix::Zero(tile_size, call.problem.head_dim)),
        dv_(Matrix::Zero(tile_size, call.problem.value_dim)) {
    Index queries = 0;
    for (const Sequence& sequence : call.problem.sequences) {
      queries = std::max(queries, sequence.query_length);
    }
    dq_.assign(static_cast<std::size_t>(group()), Matrix::Zero(queries, call.problem.head_dim));
  }

  void run() {
    for (Index s = 0; s < static_cast<Index>(call_.problem.sequences.size()); ++s) {
      for (Index kv_head = 0; kv_head < call_.problem.kv_heads; ++kv_head) {
        run_kv_head(s, kv_head);
      }
    }
  }

 private:
  [[nodiscard]] Index group() const { return call_.problem.query_heads / call_.problem.kv_heads; }

  void run_kv_head(Index sequence, Index kv_head) {
    std::vector<QueryHead> heads;
    for (Index i = 0; i < group(); ++i) {
      const Head head{call_, Pass::backward, sequence, kv_head * group() + i};
      heads.emplace_back(head, dq_[static_cast<std::size_t>(i)]);
      prepare(heads.back());
    }
    const Head at{call_, Pass::backward, sequence, kv_head};
    const Index tiles = tile_count(at.lengths().key_length);
    for (Index turn = 0; turn < tiles; ++turn) {
      run_keys(at, seams_.key_tile(at, turn, tiles) * tile_size, heads);
    }
    for (QueryHead& head : heads) write_dq(head);
  }

  /// LSE and delta of every row, and a clear workspace for dQ.
  void prepare(QueryHead& head) {
    const Index queries = head.lse.size();
    const HeadView view = head_view(call_.problem, TensorName::lse, head.at.sequence, head.at.head);
    std::copy_n(stored_.values.data() + view.offset, queries, head.lse.data());
    for (Index row = 0; row < queries; row += tile_size) {
      const RowTile tile{head.at, row, std::min(tile_size, queries - row)};
      seams_.stored_lse(tile, head.lse.segment(row, tile.rows));
      seams_.delta(tile, head.delta.segment(row, tile.rows));
    }
    if (seams_.clears(head.at, Buffer::dq)) head.dq.setZero();
  }

  /// One tile of keys against all queries of the group.
  void run_keys(const Head& at, Index key, const std::vector<QueryHead>& heads) {
    if (seams_.clears(at, Buffer::dkdv)) {
      dk_.setZero();
      dv_.setZero();
    }
    for (const QueryHead& head : heads) {
      read_rows(head.k, key, k_);
      read_rows(head.v, key, v_);
      for (Index row = 0; row < head.lse.size(); row += tile_size) {
        const RowTile rows{head.at, row, std::min(tile_size, head.lse.size() - row)};
        const SeenKeys seen = keys_seen(rows);
        const Tile tile{head.at, row, rows.rows, key, std::min(tile_size, seen.all.end - key)};
        if (seen.all.begin >= key + tile_size || tile.keys <= 0) continue;
        for (int visit = seams_.visits(tile); visit > 0; --visit) run_tile(tile, seen, head);
      }
    }
    const Index keys = std::min(tile_size, at.lengths().key_length - key);
    dk_ *= seams_.scale(at, ScaleOf::dk);
    write_rows(at, TensorName::dk, key, dk_.topRows(keys), Column());
    write_rows(at, TensorName::dv, key, dv_.topRows(keys), Column());
  }

  void run_tile(const Tile& tile, const SeenKeys& seen, const QueryHead& head) {
    const Block q = q_.topRows(tile.rows);
    const Block dout = dout_.topRows(tile.rows);
    const Block k = k_.topRows(tile.keys);
    const Block v = v_.topRows(tile.keys);
    read_rows(head.q, tile.row, q);
    read_rows(head.dout, tile.row, dout);
    const Block p = p_.topLeftCorner(tile.rows, tile.keys);
    probabilities(tile, seen, head, p);
    if (seams_.reduces(tile, TensorName::dv)) {
      Block rounded = rounded_p_.topLeftCorner(tile.rows, tile.keys);
      rounded = p;
      seams_.round_p(tile, rounded, no_sums_);
      seams_.accumulate(TensorName::dv, rounded, dout, dv_.topRows(tile.keys));
    }
    const Block ds = ds_.topLeftCorner(tile.rows, tile.keys);
    seams_.dot(tile, TensorName::v, dout, v, ds);
    seams_.score_gradient(tile, p, head.delta.segment(tile.row, tile.rows), ds);
    if (seams_.reduces(tile, TensorName::dq)) {
      seams_.accumulate(TensorName::dq, ds, k, head.dq.middleRows(tile.row, tile.rows));
    }
    if (seams_.reduces(tile, TensorName::dk)) {
      seams_.accumulate(TensorName::dk, ds, q, dk_.topRows(tile.keys));
    }
  }

  /// P of one tile from its scores and the stored LSE.
  void probabilities(const Tile& tile, const SeenKeys& seen, const QueryHead& head, Block p) {
    seams_.dot(tile, TensorName::k, q_.topRows(tile.rows), k_.topRows(tile.keys), p);
    p *= seams_.scale(tile.at, ScaleOf::scores);
    for (Index row = 0; row < tile.rows; ++row) {
      const float lse = head.lse[tile.row + row];
      const Keys keys = inside(seen.rows[static_cast<std::size_t>(row)], tile);
      if (keys.empty() || lse == -std::numeric_limits<float>::infinity()) {
        p.row(row).setZero();
        continue;
      }
      auto visible = p.row(row).segment(keys.begin, keys.end - keys.begin).array();
      visible = (visible - lse).exp();
      p.row(row).head(keys.begin).setZero();
      p.row(row).tail(p.cols() - keys.end).setZero();
      if (keys.hole >= keys.begin && keys.hole < keys.end) p(row, keys.hole) = 0;
    }
  }

  void write_dq(QueryHead& head) {
    const Index queries = head.lse.size();
    head.dq *= seams_.scale(head.at, ScaleOf::dq);
    for (Index row = 0; row < queries; row += tile_size) {
      const Index rows = std::min(tile_size, queries - row);
      write_rows(head.at, TensorName::dq, row, head.dq.middleRows(row, rows), Column());
    }
  }

  const Call& call_;
  const Seams& seams_;
  const StoredLse& stored_;
  Matrix q_;
  Matrix k_;
  Matrix v_;
  Matrix dout_;
  Matrix p_;
  Matrix rounded_p_;
  Matrix ds_;
  Matrix dk_;
  Matrix dv_;
  Column no_sums_;
  std::vector<Matrix> dq_;  ///< One for each query head of a group.
};

}  // namespace

void backward(const Call& call, const StoredLse& stored) {
  Backward(call, stored).run();
}

}  // namespace fathom::mutant
