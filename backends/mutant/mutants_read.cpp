// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/mutants.h"
#include "backends/mutant/places.h"
#include "backends/mutant/rounding.h"

#include <algorithm>
#include <array>
#include <cmath>

// Defects of what is read: tiles taken or left, rows, heads, sequences and channels mixed up,
// memory that an earlier step left.

namespace fathom::mutant {
namespace {

/// `times` visits of the middle tile of keys, in the forward pass.
template <int times>
int visits_of_middle(const Tile& tile) {
  return !is_backward(tile.at) && is_middle_of_keys(tile) ? times : 1;
}

int middle_lost_in_last_head(const Tile& tile) {
  const bool here = tile.at.head + 1 == tile.at.problem().query_heads;
  return here ? visits_of_middle<0>(tile) : 1;
}

/// Whether a row of K or V lies in the middle tile, read by the forward pass.
bool in_middle_tile(const Source& source, Index row) {
  return !is_backward(source.at) && is_middle_tile(row, source.view.rows);
}

template <TensorName name>
void stale_tile(const Source& source, Index row, float* to) {
  const bool stale = source.name == name && in_middle_tile(source, row);
  honest::read(source, stale ? row - tile_size : row, to);
}

/// The first tile is there twice: K and V of the one behind it are never read.
void aliased_stage(const Source& source, Index row, float* to) {
  const bool second = row / tile_size == 1 && is_key_or_value(source.name);
  honest::read(source, second && !is_backward(source.at) ? row - tile_size : row, to);
}

void stale_k_when_unlucky(const Source& source, Index row, float* to) {
  if (is_unlucky(source.at.call)) {
    stale_tile<TensorName::k>(source, row, to);
  } else {
    honest::read(source, row, to);
  }
}

void swapped_values(const Source& source, Index row, float* to) {
  const bool in_pair = row % tile_size < 2 && (row ^ 1) < source.view.rows;
  const bool swap = source.name == TensorName::v && !is_backward(source.at) && in_pair;
  honest::read(source, swap ? row ^ 1 : row, to);
}

void shifted_values(const Source& source, Index row, float* to) {
  const bool shift =
      source.name == TensorName::v && !is_backward(source.at) && row >= 0 && row < source.view.rows;
  honest::read(source, shift ? (row + 1) % source.view.rows : row, to);
}

void swizzled_keys(const Source& source, Index row, float* to) {
  honest::read(source, row, to);
  if (source.name == TensorName::k && source.view.channels > 1) std::swap(to[0], to[1]);
}

/// The view of a key-side tensor with KV head `kv_head`.
HeadView with_kv_head(const Head& head, TensorName name, Index kv_head) {
  return is_key_or_value(name) ? head_view(head.problem(), name, head.sequence, kv_head)
                               : honest::locate(head, name);
}

HeadView head_modulo(const Head& head, TensorName name) {
  return with_kv_head(head, name, head.head % head.problem().kv_heads);
}

HeadView neighbour_for_first_head(const Head& head, TensorName name) {
  const Problem& problem = head.problem();
  if (head.head != 0) return honest::locate(head, name);
  return with_kv_head(head, name, 1 % problem.kv_heads);
}

HeadView offsets_of_queries(const Head& head, TensorName name) {
  HeadView view = honest::locate(head, name);
  if (head.problem().layout != Layout::thd || !is_key_or_value(name)) return view;
  const auto at = static_cast<std::size_t>(head.sequence);
  const Index wrong = cu_seqlens_q(head.problem())[at];
  view.offset += (wrong - cu_seqlens_k(head.problem())[at]) * view.row_stride;
  return view;
}

HeadView as_if_bshd(const Head& head, TensorName name) {
  HeadView view = honest::locate(head, name);
  const Problem& problem = head.problem();
  if (problem.layout != Layout::bhsd || !is_key_or_value(name)) return view;
  const Index kv_head = head.head / (problem.query_heads / problem.kv_heads);
  view.offset = (head.sequence * view.rows * problem.kv_heads + kv_head) * view.channels;
  view.row_stride = problem.kv_heads * view.channels;
  return view;
}

/// The keys of the next sequence that a packed sequence is let see.
Index keys_of_next(const Head& head) {
  if (head.problem().layout != Layout::thd || head.sequence + 1 >= sequence_count(head)) return 0;
  const auto next = static_cast<std::size_t>(head.sequence + 1);
  return std::min<Index>(8, head.problem().sequences[next].key_length);
}

Keys with_next_sequence(const QueryRow& row) {
  Keys keys = honest::visible(row);
  if (!keys.empty() && keys.end == row.at.lengths().key_length) keys.end += keys_of_next(row.at);
  return keys;
}

void read_on(const Source& source, Index row, float* to) {
  if (is_key_or_value(source.name) && row >= source.view.rows) {
    read_memory(source, row, to);
  } else {
    honest::read(source, row, to);
  }
}

bool is_last_sequence(const Head& head) {
  return head.sequence + 1 == sequence_count(head);
}

Keys with_key_past_end(const QueryRow& row) {
  Keys keys = honest::visible(row);
  const bool last = is_last_sequence(row.at) && keys.end == row.at.lengths().key_length;
  if (!keys.empty() && last) ++keys.end;
  return keys;
}

/// Memory behind the tensor that may be read: half of the driver's guard.
constexpr Index readable_past_end = Index{32} * 1024;

/// The row behind the last one. What lies there is mostly another tensor's ordinary numbers, so
/// numbers of another size are taken for 0.
void read_past_end(const Source& source, Index row, float* to) {
  const Dtype dtype = source.at.problem().dtype;
  const auto bytes = bytes_of(source.at.call, source.name);
  const Index from = (source.view.offset + row * source.view.row_stride) * info(dtype).size;
  const Index end = from + source.view.channels * info(dtype).size;
  const bool behind = is_key_or_value(source.name) && row == source.view.rows &&
                      is_last_sequence(source.at) &&
                      end <= static_cast<Index>(bytes.size()) + readable_past_end;
  if (!behind) return honest::read(source, row, to);
  load_numbers(dtype, bytes.data() + from, source.view.channels, to);
  for (Index c = 0; c < source.view.channels; ++c) {
    if (!(std::abs(to[c]) <= 2)) to[c] = 0;
  }
}

constexpr Index tail = 8;  ///< Channels that a defect of the last vector loses.

void dot_without_tail(const Tile& tile, TensorName keys_of, const ConstBlock& a,
                      const ConstBlock& b, Block to) {
  if (keys_of != TensorName::k) return honest::dot(tile, keys_of, a, b, to);
  const Index kept = a.cols() > tail ? a.cols() - tail : (a.cols() + 1) / 2;
  honest::dot(tile, keys_of, a.leftCols(kept), b.leftCols(kept), to);
}

void weigh_without_tail(const ConstBlock& p, const ConstBlock& v, Block o) {
  const Index kept = v.cols() > tail ? v.cols() - tail : (v.cols() + 1) / 2;
  honest::weigh(p, v.leftCols(kept), o.leftCols(kept));
}

template <Buffer dirty>
bool clears_others(const Head& /*head*/, Buffer buffer) {
  return buffer != dirty;
}

constexpr std::array read_table{
    Mutant{"tile_dropped", "the middle tile of keys is not visited", "", fwd,
           Axis::tile | Axis::sequence, [](Seams& s) { s.visits = visits_of_middle<0>; }},
    Mutant{"tile_dropped_one_head", "the last head does not visit the middle tile of keys", "", fwd,
           Axis::head | Axis::tile, [](Seams& s) { s.visits = middle_lost_in_last_head; }},
    Mutant{"tile_repeated", "the middle tile of keys is visited twice", "", fwd,
           Axis::tile | Axis::sequence, [](Seams& s) { s.visits = visits_of_middle<2>; }},
    Mutant{"stale_v_tile", "the middle tile of V still holds the tile before it", "", fwd,
           Axis::tile | Axis::stale | Axis::sequence,
           [](Seams& s) { s.read = stale_tile<TensorName::v>; }},
    Mutant{"stale_k_tile", "the middle tile of K still holds the tile before it", "", fwd,
           Axis::tile | Axis::stale | Axis::sequence,
           [](Seams& s) { s.read = stale_tile<TensorName::k>; }},
    Mutant{"stage_alias", "the first two tiles of keys share one buffer",
           "Dao-AILab/flash-attention#2229", fwd, Axis::tile | Axis::stale,
           [](Seams& s) { s.read = aliased_stage; }},
    Mutant{"race_stale_k", "in one of three calls the middle tile of K is that before it",
           "Dao-AILab/flash-attention#359, ROCm/composable_kernel#3135", fwd, Axis::repeat,
           [](Seams& s) { s.read = stale_k_when_unlucky; }},
    Mutant{"v_rows_swapped", "the first two rows of every tile of V are exchanged", "", fwd,
           Axis::key, [](Seams& s) { s.read = swapped_values; }},
    Mutant{"v_rows_shifted", "every key gets the value of the next one", "", fwd,
           Axis::everywhere | Axis::key, [](Seams& s) { s.read = shifted_values; }},
    Mutant{"k_channels_swapped", "the first two channels of K are exchanged", "", fwd,
           Axis::everywhere, [](Seams& s) { s.read = swizzled_keys; }},
    Mutant{"head_map_modulo", "query head h uses KV head h modulo the KV heads", "", fwd,
           Axis::head, [](Seams& s) { s.locate = head_modulo; }},
    Mutant{"head_neighbour", "query head 0 uses KV head 1", "", fwd, Axis::head,
           [](Seams& s) { s.locate = neighbour_for_first_head; }},
    Mutant{"cu_seqlens_shared", "packed keys are sought at the offsets of the queries", "", fwd,
           Axis::sequence, [](Seams& s) { s.locate = offsets_of_queries; }},
    Mutant{"layout_assumed", "K and V in (B,H,S,D) are read as (B,S,H,D)",
           "pytorch/pytorch#109517, pytorch/pytorch#124877", fwd, Axis::everywhere,
           [](Seams& s) { s.locate = as_if_bshd; }},
    Mutant{"next_sequence_visible", "the first keys of the next packed sequence take part", "", fwd,
           Axis::key | Axis::sequence | Axis::mask_edge | Axis::rows,
           [](Seams& s) {
             s.visible = with_next_sequence;
             s.read = read_on;
           }},
    Mutant{"read_past_end", "the key behind the end of the last sequence takes part", "", fwd,
           // Where zeros lie behind V, the sum alone grows.
           Axis::key | Axis::mask_edge | Axis::rows | Axis::factor,
           [](Seams& s) {
             s.visible = with_key_past_end;
             s.read = read_past_end;
           }},
    Mutant{"qk_tail", "the last 8 channels are left out of Q K^T", "", fwd, Axis::channel,
           [](Seams& s) { s.dot = dot_without_tail; }},
    Mutant{"pv_tail", "the last 8 channels are left out of P V", "", fwd, Axis::channel,
           [](Seams& s) { s.weigh = weigh_without_tail; }},
    Mutant{"stale_scratch", "the accumulators start with what the tile of rows before it left", "",
           fwd,
           // The O that is left has been normalised: beside it the sum that is left weighs most.
           Axis::stale | Axis::head | Axis::sequence | Axis::tile | Axis::factor,
           [](Seams& s) { s.clears = clears_others<Buffer::output>; }},
};

}  // namespace

std::span<const Mutant> read_mutants() {
  return read_table;
}

}  // namespace fathom::mutant
