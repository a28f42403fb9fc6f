// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/kernel_forward.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

namespace fathom::mutant {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// The accumulators of one split.
struct Accumulator {
  explicit Accumulator(Index channels)
      : o(Matrix::Zero(tile_size, channels)),
        max(Column::Zero(tile_size)),
        sum(Column::Zero(tile_size)),
        lse(Column::Zero(tile_size)) {}
  Matrix o;
  Column max;
  Column sum;
  Column lse;
};

class Forward {
 public:
  Forward(const Call& call, StoredLse& stored)
      : call_(call),
        seams_(call.seams),
        stored_(stored),
        q_(tile_size, call.problem.head_dim),
        k_(tile_size, call.problem.head_dim),
        v_(tile_size, call.problem.value_dim),
        scores_(tile_size, tile_size),
        factors_(tile_size),
        sums_(tile_size),
        merged_(call.problem.value_dim) {}

  void run() {
    for (Index s = 0; s < static_cast<Index>(call_.problem.sequences.size()); ++s) {
      for (Index h = 0; h < call_.problem.query_heads; ++h) {
        run_head(Head{call_, Pass::forward, s, h});
      }
    }
  }

 private:
  void run_head(const Head& head) {
    const Source q = open(head, TensorName::q);
    const Source k = open(head, TensorName::k);
    const Source v = open(head, TensorName::v);
    const Index queries = head.lengths().query_length;
    for (Index row = 0; row < queries; row += tile_size) {
      const RowTile tile{head, row, std::min(tile_size, queries - row)};
      read_rows(q, row, q_.topRows(tile.rows));
      run_rows(tile, k, v);
    }
  }

  void run_rows(const RowTile& rows, const Source& k, const Source& v) {
    const SeenKeys seen = keys_seen(rows);
    const Index key_length = rows.at.lengths().key_length;
    const Index splits = split_count(key_length);
    const Index per_split = (tile_count(key_length) + splits - 1) / splits * tile_size;
    std::vector<Partial> partials;
    for (Index split = 0; split < splits; ++split) {
      const bool last = split + 1 == splits;
      const Keys range{split * per_split, last ? seen.all.end : (split + 1) * per_split};
      partials.push_back(start(rows, split, splits));
      run_split(rows, seen, intersection(seen.all, range), k, v, partials.back());
    }
    Merged merged{merged_.o.topRows(rows.rows), merged_.lse.head(rows.rows)};
    seams_.merge(partials, merged);
    store(rows, partials);
  }

  Partial start(const RowTile& rows, Index split, Index splits) {
    const auto at = static_cast<std::size_t>(split);
    while (accumulators_.size() <= at) accumulators_.emplace_back(call_.problem.value_dim);
    Accumulator& buffer = accumulators_[at];
    Partial partial{split,
                    splits,
                    buffer.o.topRows(rows.rows),
                    buffer.max.head(rows.rows),
                    buffer.sum.head(rows.rows),
                    buffer.lse.head(rows.rows)};
    partial.max.setConstant(-infinity);
    if (seams_.clears(rows.at, Buffer::output)) {
      partial.o.setZero();
      partial.sum.setZero();
    }
    return partial;
  }

  void run_split(const RowTile& rows, const SeenKeys& seen, const Keys& range, const Source& k,
                 const Source& v, Partial& partial) {
    bool first = true;
    Tile tile{rows.at, rows.row, rows.rows, range.begin / tile_size * tile_size, 0};
    for (; tile.key < range.end; tile.key += tile_size) {
      tile.keys = std::min(tile_size, seen.all.end - tile.key);
      for (int visit = seams_.visits(tile); visit > 0; --visit) {
        read_rows(k, tile.key, k_.topRows(tile.keys));
        read_rows(v, tile.key, v_.topRows(tile.keys));
        run_tile(tile, seen, first, partial);
        first = false;
      }
    }
    seams_.finish(tile, partial);
  }

  void run_tile(const Tile& tile, const SeenKeys& seen, bool first, Partial& partial) {
    Block p = scores_.topLeftCorner(tile.rows, tile.keys);
    seams_.dot(tile, TensorName::k, q_.topRows(tile.rows), k_.topRows(tile.keys), p);
    p *= seams_.scale(tile.at, ScaleOf::scores);
    for (Index row = 0; row < tile.rows; ++row) {
      soften(inside(seen.rows[static_cast<std::size_t>(row)], tile), row, p, partial);
    }
    seams_.round_p(tile, p, sums_.head(tile.rows));
    // Nothing has been accumulated before the first tile; uncleared memory stays what it is.
    if (!first) seams_.rescale(factors_.head(tile.rows), partial);
    partial.sum += sums_.head(tile.rows);
    seams_.weigh(p, v_.topRows(tile.keys), partial.o);
  }

  /// One row of scores to exp(score - max), hidden keys to 0; moves the row's maximum.
  void soften(const Keys& keys, Index row, Block& p, Partial& partial) {
    factors_[row] = 1;
    sums_[row] = 0;
    if (keys.empty()) {
      p.row(row).setZero();
      return;
    }
    auto seen = p.row(row).segment(keys.begin, keys.end - keys.begin).array();
    const bool has_hole = keys.hole >= keys.begin && keys.hole < keys.end;
    if (has_hole) p(row, keys.hole) = -infinity;
    const float before = partial.max[row];
    const float most = std::max(before, seen.maxCoeff());
    seen = (seen - most).exp();
    if (has_hole) p(row, keys.hole) = 0;
    p.row(row).head(keys.begin).setZero();
    p.row(row).tail(p.cols() - keys.end).setZero();
    sums_[row] = seen.sum();
    factors_[row] = std::exp(before - most);
    partial.max[row] = most;
  }

  void store(const RowTile& rows, const std::vector<Partial>& partials) {
    const Head& head = rows.at;
    const HeadView view = head_view(head.problem(), TensorName::lse, head.sequence, head.head);
    std::copy_n(merged_.lse.data(), rows.rows, stored_.values.data() + view.offset + rows.row);
    merged_.max.head(rows.rows) = partials.front().max;
    for (const Partial& partial : partials) {
      merged_.max.head(rows.rows) = merged_.max.head(rows.rows).max(partial.max);
    }
    const auto max = merged_.max.head(rows.rows);
    write_rows(head, TensorName::o, rows.row, merged_.o.topRows(rows.rows), max);
    Matrix lse = merged_.lse.head(rows.rows).matrix();
    write_rows(head, TensorName::lse, rows.row, lse, max);
  }

  const Call& call_;
  const Seams& seams_;
  StoredLse& stored_;
  Matrix q_;
  Matrix k_;
  Matrix v_;
  Matrix scores_;  ///< Of one tile, then P.
  Column factors_;
  Column sums_;
  std::deque<Accumulator> accumulators_;  ///< One for each split.
  Accumulator merged_;
};

}  // namespace

void forward(const Call& call, StoredLse& stored) {
  Index rows = 0;
  for (const Sequence& sequence : call.problem.sequences) rows += sequence.query_length;
  stored.values.assign(static_cast<std::size_t>(rows * call.problem.query_heads), 0.0F);
  Forward(call, stored).run();
}

}  // namespace fathom::mutant
