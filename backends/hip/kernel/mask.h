// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/arguments.h"
#include "backends/hip/kernel/defects.h"

namespace fathom::hip {

FATHOM_DEVICE constexpr int least(int a, int b) {
  return a < b ? a : b;
}
FATHOM_DEVICE constexpr int most(int a, int b) {
  return a > b ? a : b;
}

/// begin <= i < end; empty if they cross.
struct Interval {
  int begin;
  int end;

  /// One comparison: below begin wraps round to a large number.
  [[nodiscard]] FATHOM_DEVICE bool holds(int i) const {
    return static_cast<unsigned>(i - begin) < static_cast<unsigned>(most(0, end - begin));
  }
};

/// Tiles `visited` hold a pair that the mask lets through; in tiles `full` it lets all through.
struct TileRange {
  Interval visited;
  Interval full;
};

/// Which keys a query of one sequence sees, and which queries a key. Lengths are those used.
struct SequenceMask {
  int queries;
  int keys;
  int prefix;
  MaskRule rule;

  /// A query's own place among the keys: the last query stands on the last key.
  [[nodiscard]] FATHOM_DEVICE int shift() const {
    return planted(Defect::top_left_shift) ? 0 : keys - queries;
  }

  [[nodiscard]] FATHOM_DEVICE int first_key(int query) const {
    const int left = planted(Defect::window_plus_one) ? rule.left + 1 : rule.left;
    return most(0, query + shift() - left);
  }

  [[nodiscard]] FATHOM_DEVICE int end_key(int query) const {
    const int own = query + shift();
    int end = least(keys, own + rule.right + 1);
    if (rule.top_left) end = least(end, query + 1);
    if (rule.prefix_lm) {
      const bool forgets = planted(Defect::prefix_forgets_causal) && prefix > 0;
      end = least(end, forgets ? prefix : most(prefix, own + 1));
    }
    return most(0, end);
  }

  [[nodiscard]] FATHOM_DEVICE Interval keys_of(int query) const {
    return {first_key(query), end_key(query)};
  }

  /// The inverse, since neither end of keys_of goes back: queries from the first whose keys end
  /// behind `key` to the last whose keys begin at or before it.
  [[nodiscard]] FATHOM_DEVICE Interval queries_of(int key) const {
    const int left = planted(Defect::window_plus_one) ? rule.left + 1 : rule.left;
    int begin = most(0, key - shift() - rule.right);
    if (rule.top_left) begin = most(begin, key);
    if (rule.prefix_lm && key >= prefix) begin = most(begin, key - shift());
    return {begin, least(queries, key - shift() + left + 1)};
  }

  /// Key tiles for the queries rows.begin .. rows.end, clipped to the sequence.
  [[nodiscard]] FATHOM_DEVICE TileRange key_tiles(Interval rows, int tile) const {
    const int last = rows.end - 1;
    if (rows.begin >= rows.end || end_key(last) <= first_key(last)) return {{0, 0}, {0, 0}};
    int end = (end_key(last) + tile - 1) / tile;
    if (planted(Defect::last_tile_dropped) && end > 1) --end;
    int full_end = end_key(rows.begin) / tile;
    if (planted(Defect::full_one_tile_more)) ++full_end;
    return {{first_key(rows.begin) / tile, end}, {(first_key(last) + tile - 1) / tile, full_end}};
  }

  /// Query tiles for the keys columns.begin .. columns.end, clipped to the sequence. A tile that
  /// reaches behind the last query is never full.
  [[nodiscard]] FATHOM_DEVICE TileRange query_tiles(Interval columns, int tile) const {
    // Keys up to the query's number, none so far left of its own place: no query sees any.
    const bool blind = rule.top_left && shift() > rule.left;
    if (columns.begin >= columns.end || blind) return {{0, 0}, {0, 0}};
    const Interval first = queries_of(columns.begin);
    const Interval last = queries_of(columns.end - 1);
    if (first.begin >= last.end) return {{0, 0}, {0, 0}};
    int end = (last.end + tile - 1) / tile;
    if (planted(Defect::last_tile_dropped) && end > 1) --end;
    return {{first.begin / tile, end}, {(last.begin + tile - 1) / tile, first.end / tile}};
  }
};

/// The sequence and the rows of a block. A grid over total / tile + count blocks leaves every
/// sequence enough of them, so that the host need not know the lengths.
struct BlockRows {
  int sequence;
  int first;  ///< Row of the block inside its sequence; negative or behind its end: nothing to do.
};

FATHOM_DEVICE BlockRows find_rows(const Global<const int>& cu, int count, int tile, int block) {
  int low = 0;
  int high = count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    const bool before = load_one(cu, middle) / tile + middle <= block;
    low = before ? middle : low;
    high = before ? high : middle;
  }
  return {low, (block - load_one(cu, low) / tile - low) * tile};
}

/// The sequence that holds a token.
FATHOM_DEVICE int find_sequence(const Global<const int>& cu, int count, int token) {
  int low = 0;
  int high = count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    const bool before = load_one(cu, middle) <= token;
    low = before ? middle : low;
    high = before ? high : middle;
  }
  return low;
}

FATHOM_DEVICE SequenceMask mask_of(const Sequences& sequences, const MaskRule& rule, int sequence) {
  const auto length = [sequence](const Global<const int>& used, const Global<const int>& cu) {
    return first_lane(used.data != nullptr ? load_one(used, sequence)
                                           : load_one(cu, sequence + 1) - load_one(cu, sequence));
  };
  int of = sequence;
  if (planted(Defect::prefix_of_neighbour)) of = (sequence + 1) % sequences.count;
  int prefix = sequences.prefix.data != nullptr ? load_one(sequences.prefix, of) : 0;
  if (planted(Defect::prefix_plus_one)) ++prefix;
  return {length(sequences.used_q, sequences.cu_q), length(sequences.used_k, sequences.cu_k),
          first_lane(prefix), rule};
}

}  // namespace fathom::hip
