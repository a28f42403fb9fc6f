// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/mutants.h"
#include "backends/mutant/places.h"
#include "backends/mutant/rounding.h"

#include <algorithm>
#include <array>
#include <cmath>

// Defects of the backward pass alone; O and LSE stay right.

namespace fathom::mutant {
namespace {

bool is_gradient(TensorName name) {
  return name == TensorName::dq || name == TensorName::dk || name == TensorName::dv;
}

// What is seen and read.

template <typename Term>
Keys ignored(const MaskTerm& term, const QueryRow& row) {
  if (is_backward(row.at) && is<Term>(term)) return {0, row.at.lengths().key_length};
  return honest::term(term, row);
}

Keys top_left(const MaskTerm& term, const QueryRow& row) {
  const bool here = is_backward(row.at) && is<Causal>(term);
  return honest::term(here ? MaskTerm{Causal{Corner::top_left}} : term, row);
}

template <typename Term, Index by_begin, Index by_end>
Keys moved(const MaskTerm& term, const QueryRow& row) {
  Keys keys = honest::term(term, row);
  if (!is_backward(row.at) || !is<Term>(term)) return keys;
  keys.begin += by_begin;
  keys.end += by_end;
  return keys;
}

Keys drop_key(const QueryRow& row) {
  Keys keys = honest::visible(row);
  if (is_backward(row.at)) keys.hole = row.at.lengths().key_length / 3;
  return keys;
}

Keys whole_last_tile(const QueryRow& row) {
  Keys keys = honest::visible(row);
  const Index length = row.at.lengths().key_length;
  const bool tail = is_backward(row.at) && !keys.empty() && keys.end == length;
  if (tail) keys.end = tile_count(length) * tile_size;
  return keys;
}

/// Behind the last key lies what the tile before has left there.
void read_tail_of_last_tile(const Source& source, Index row, float* to) {
  const bool tail = is_backward(source.at) && is_key_or_value(source.name) &&
                    row >= source.view.rows && source.view.rows > 0;
  const Index before =
      row >= tile_size ? row - tile_size : row % std::max<Index>(1, source.view.rows);
  honest::read(source, tail ? before : row, to);
}

void stale_keys(const Source& source, Index row, float* to) {
  const bool stale = is_backward(source.at) && source.name == TensorName::k &&
                     is_middle_tile(row, source.view.rows);
  honest::read(source, stale ? row - tile_size : row, to);
}

int without_last_tile(const Tile& tile) {
  const bool only_one = tile.at.lengths().key_length <= tile_size;
  return is_backward(tile.at) && is_last_of_keys(tile) && !only_one ? 0 : 1;
}

HeadView earlier_dout(const Head& head, TensorName name) {
  HeadView view = honest::locate(head, name);
  const bool here = name == TensorName::dout && head.sequence > 0;
  if (here && head.problem().layout == Layout::thd) view.offset -= view.row_stride;
  return view;
}

HeadView dout_with_stride_of_q(const Head& head, TensorName name) {
  HeadView view = honest::locate(head, name);
  if (name != TensorName::dout) return view;
  view.row_stride = head_view(head.problem(), TensorName::q, head.sequence, head.head).row_stride;
  return view;
}

HeadView neighbour_value(const Head& head, TensorName name) {
  const Problem& problem = head.problem();
  if (!is_backward(head) || name != TensorName::v) return honest::locate(head, name);
  const Index kv_head = head.head / (problem.query_heads / problem.kv_heads);
  return head_view(problem, name, head.sequence, (kv_head + 1) % problem.kv_heads);
}

HeadView head_modulo(const Head& head, TensorName name) {
  if (!is_backward(head) || !is_key_or_value(name)) return honest::locate(head, name);
  return head_view(head.problem(), name, head.sequence, head.head % head.problem().kv_heads);
}

Index another_order(const Head& head, Index turn, Index count) {
  return (turn + head.call.number) % count;
}

template <Buffer dirty>
bool clears_others(const Head& /*head*/, Buffer buffer) {
  return buffer != dirty;
}

// Scale, delta, P and dS.

float no_scale(const Head& head, ScaleOf what) {
  return what == ScaleOf::scores ? honest::scale(head, what) : 1.0F;
}

float dq_scale_101(const Head& head, ScaleOf what) {
  return honest::scale(head, what) * (what == ScaleOf::dq ? 1.01F : 1.0F);
}

float default_scale(const Head& head, ScaleOf what) {
  const float right = honest::scale(head, what);
  const bool here = is_backward(head) && head.problem().softmax_scale.has_value();
  return here ? 1 / std::sqrt(static_cast<float>(head.problem().head_dim)) : right;
}

void no_delta(const RowTile& /*tile*/, ColumnBlock delta) {
  delta.setZero();
}

void delta_of_tile_before(const RowTile& tile, ColumnBlock delta) {
  RowTile before = tile;
  if (tile.row > 0) before.row -= tile_size;
  honest::delta(before, delta);
}

void delta_in_bf16(const RowTile& tile, ColumnBlock delta) {
  honest::delta(tile, delta);
  round_numbers(Dtype::bf16, delta.data(), delta.size());
}

void delta_scaled(const RowTile& tile, ColumnBlock delta) {
  honest::delta(tile, delta);
  delta *= static_cast<float>(softmax_scale(tile.at.problem()));
}

/// delta with the cotangent of the LSE `times` times too often: 1 takes it away, 2 turns its sign.
template <int times>
void delta_less_dlse(const RowTile& tile, ColumnBlock delta) {
  honest::delta(tile, delta);
  if (!tile.at.problem().lse_cotangent) return;
  Matrix dlse(tile.rows, 1);
  read_rows(open(tile.at, TensorName::dlse), tile.row, dlse);
  delta += static_cast<float>(times) * dlse.array();
}

void lse_in_bf16(const RowTile& /*tile*/, ColumnBlock lse) {
  round_numbers(Dtype::bf16, lse.data(), lse.size());
}

void lse_in_bits(const RowTile& /*tile*/, ColumnBlock lse) {
  constexpr float ln_2 = 0.693147182F;
  lse /= ln_2;
}

void p_cut(const Tile& tile, Block p, ColumnBlock /*sums*/) {
  const Rounding rounding = is_backward(tile.at) ? Rounding::rtz : Rounding::rne;
  round_rows(tile.at.problem().dtype, p, rounding);
}

void ds_cut(const Tile& tile, const ConstBlock& p, const ConstColumnBlock& delta, Block ds) {
  ds.array().colwise() -= delta;
  ds.array() *= p.array();
  round_rows(tile.at.problem().dtype, ds, Rounding::rtz);
}

void ds_from_bf16(const Tile& tile, const ConstBlock& p, const ConstColumnBlock& delta, Block ds) {
  Matrix rounded = p;
  round_rows(Dtype::bf16, rounded);
  round_rows(Dtype::bf16, ds);
  honest::score_gradient(tile, rounded, delta, ds);
}

void ds_to_bf16(const Tile& tile, const ConstBlock& p, const ConstColumnBlock& delta, Block ds) {
  honest::score_gradient(tile, p, delta, ds);
  round_rows(Dtype::bf16, ds);
}

void dot_without_tail(const Tile& tile, TensorName keys_of, const ConstBlock& a,
                      const ConstBlock& b, Block to) {
  constexpr Index tail = 8;
  if (!is_backward(tile.at) || keys_of != TensorName::v) {
    return honest::dot(tile, keys_of, a, b, to);
  }
  const Index kept = a.cols() > tail ? a.cols() - tail : (a.cols() + 1) / 2;
  honest::dot(tile, keys_of, a.leftCols(kept), b.leftCols(kept), to);
}

// What is summed.

template <TensorName name>
bool all_but_middle_keys(const Tile& tile, TensorName gradient) {
  return gradient != name || !is_middle_of_keys(tile);
}

template <TensorName name>
bool all_but_middle_queries(const Tile& tile, TensorName gradient) {
  return gradient != name || !is_middle_of_queries(tile);
}

bool dq_without_last_tile(const Tile& tile, TensorName gradient) {
  return gradient != TensorName::dq || !is_last_of_keys(tile);
}

bool dkdv_without_query_tail(const Tile& tile, TensorName gradient) {
  return gradient == TensorName::dq || tile.rows == tile_size;
}

bool dkdv_of_first_head(const Tile& tile, TensorName gradient) {
  const Index group = tile.at.problem().query_heads / tile.at.problem().kv_heads;
  return gradient == TensorName::dq || tile.at.head % group == 0;
}

bool dkdv_without_last_head(const Tile& tile, TensorName gradient) {
  const Index group = tile.at.problem().query_heads / tile.at.problem().kv_heads;
  return gradient == TensorName::dq || group == 1 || tile.at.head % group != group - 1;
}

bool lose_an_add_when_unlucky(const Tile& tile, TensorName gradient) {
  const bool lost = is_unlucky(tile.at.call) && tile.row == 0 && tile.key < tile_size;
  return gradient != TensorName::dq || !lost;
}

template <Dtype dtype, bool of_dq>
void accumulate_narrow(TensorName gradient, const ConstBlock& a, const ConstBlock& b, Block to) {
  honest::accumulate(gradient, a, b, to);
  if ((gradient == TensorName::dq) == of_dq) round_rows(dtype, to);
}

// What is written.

template <TensorName name>
void zeros(OutputTile& tile) {
  if (tile.name == name) tile.values.setZero();
}

void all_zeros(OutputTile& tile) {
  if (is_gradient(tile.name)) tile.values.setZero();
}

template <TensorName name>
void gain_110(OutputTile& tile) {
  if (tile.name == name) tile.values *= 1.1F;
}

void dv_scaled(OutputTile& tile) {
  if (tile.name != TensorName::dv) return;
  tile.values *= static_cast<float>(softmax_scale(tile.at.problem()));
}

void key_tail_unwritten(OutputTile& tile) {
  const bool of_keys = tile.name == TensorName::dk || tile.name == TensorName::dv;
  if (of_keys && tile.values.rows() < tile_size) tile.written.fill(false);
}

constexpr std::array gradient_table{
    Mutant{"bwd_no_causal", "the backward pass leaves the causal term out", "", bwd,
           Axis::mask_edge, [](Seams& s) { s.term = ignored<Causal>; }},
    Mutant{"bwd_causal_top_left", "the backward diagonal starts in the top-left corner",
           "Dao-AILab/flash-attention#436", bwd, Axis::mask_edge,
           [](Seams& s) { s.term = top_left; }},
    Mutant{"bwd_causal_plus_one", "backward rows see the first key behind the diagonal", "", bwd,
           Axis::mask_edge, [](Seams& s) { s.term = moved<Causal, 0, 1>; }},
    Mutant{"bwd_causal_minus_one", "backward rows do not see the key on the diagonal", "", bwd,
           Axis::mask_edge, [](Seams& s) { s.term = moved<Causal, 0, -1>; }},
    Mutant{"bwd_window_plus_one", "the backward window begins one key earlier", "", bwd,
           Axis::mask_edge, [](Seams& s) { s.term = moved<Window, -1, 0>; }},
    Mutant{"bwd_prefix_ignored", "the backward pass lets every query see every key of a PrefixLM",
           "", bwd, Axis::mask_edge, [](Seams& s) { s.term = ignored<PrefixLm>; }},
    Mutant{"bwd_document_ignored", "in the backward pass packed documents see each other", "", bwd,
           Axis::mask_edge, [](Seams& s) { s.term = ignored<Document>; }},
    Mutant{"bwd_drop_key", "one key in the middle is hidden from the backward pass", "", bwd,
           Axis::key | Axis::zero, [](Seams& s) { s.visible = drop_key; }},
    Mutant{"bwd_tail_unmasked", "what fills up the last tile of keys enters dQ",
           "NVIDIA/cutlass#2428", bwd, Axis::key | Axis::mask_edge | Axis::rows,
           [](Seams& s) {
             s.visible = whole_last_tile;
             s.read = read_tail_of_last_tile;
           }},
    Mutant{"bwd_stale_k_tile", "the middle tile of K still holds the tile before it", "", bwd,
           Axis::tile | Axis::stale | Axis::rows, [](Seams& s) { s.read = stale_keys; }},
    Mutant{"bwd_last_block", "the last tile of keys is left out",
           "Dao-AILab/flash-attention#2549, Dao-AILab/flash-attention#2158", bwd,
           Axis::tile | Axis::zero | Axis::key, [](Seams& s) { s.visits = without_last_tile; }},
    Mutant{"bwd_seq_offset", "dO of packed sequences is read one token too early", "", bwd,
           Axis::sequence, [](Seams& s) { s.locate = earlier_dout; }},
    Mutant{"stride_swap", "dO is read with the row stride of Q", "Dao-AILab/flash-attention#818",
           bwd, Axis::everywhere, [](Seams& s) { s.locate = dout_with_stride_of_q; }},
    Mutant{"dv_from_neighbour_head", "dP is taken with V of the next KV head", "", bwd, Axis::head,
           [](Seams& s) { s.locate = neighbour_value; }},
    Mutant{"bwd_head_map_modulo", "query head h uses KV head h modulo the KV heads", "", bwd,
           Axis::head, [](Seams& s) { s.locate = head_modulo; }},
    Mutant{"unordered_sum", "dQ is summed in another order in every call",
           "Dao-AILab/flash-attention#2244", bwd, Axis::repeat,
           [](Seams& s) { s.key_tile = another_order; }},
    Mutant{"race_lost_add", "in one of three calls the first tile is not added to dQ", "", bwd,
           Axis::repeat, [](Seams& s) { s.reduces = lose_an_add_when_unlucky; }},
    Mutant{"dq_stale_workspace", "the workspace of dQ starts with what the head before left", "",
           bwd, Axis::stale | Axis::head | Axis::sequence | Axis::tile,
           [](Seams& s) { s.clears = clears_others<Buffer::dq>; }},
    Mutant{"dkdv_stale_accumulator", "dK and dV start with what the tile before left", "", bwd,
           Axis::stale, [](Seams& s) { s.clears = clears_others<Buffer::dkdv>; }},
    Mutant{"grads_no_scale", "dQ and dK are not scaled", "", bwd, Axis::factor,
           [](Seams& s) { s.scale = no_scale; }},
    Mutant{"dq_scale_101", "the scale of dQ is 1 % too large", "", bwd, Axis::factor,
           [](Seams& s) { s.scale = dq_scale_101; }},
    Mutant{"bwd_scale_ignored", "the backward pass does not honour the scale asked for", "", bwd,
           Axis::factor, [](Seams& s) { s.scale = default_scale; }},
    Mutant{"delta_omitted", "delta is 0", "", bwd, Axis::everywhere | Axis::rows,
           [](Seams& s) { s.delta = no_delta; }},
    Mutant{"delta_prev_block", "delta is that of the tile of rows before",
           "Dao-AILab/flash-attention#2481, Dao-AILab/flash-attention#2756", bwd,
           Axis::rows | Axis::tile, [](Seams& s) { s.delta = delta_of_tile_before; }},
    Mutant{"delta_bf16", "delta is rounded to bf16", "", bwd, Axis::everywhere | Axis::rows,
           [](Seams& s) { s.delta = delta_in_bf16; }},
    Mutant{"delta_scaled", "delta is scaled as the scores are", "", bwd,
           Axis::everywhere | Axis::rows, [](Seams& s) { s.delta = delta_scaled; }},
    Mutant{"dlse_ignored", "the cotangent of the LSE is left out", "", bwd,
           Axis::everywhere | Axis::rows, [](Seams& s) { s.delta = delta_less_dlse<1>; }},
    Mutant{"dlse_sign", "the cotangent of the LSE has the wrong sign", "", bwd,
           Axis::everywhere | Axis::rows, [](Seams& s) { s.delta = delta_less_dlse<2>; }},
    Mutant{"lse_bf16_bwd", "the stored LSE is rounded to bf16", "", bwd,
           Axis::everywhere | Axis::factor | Axis::rows,
           [](Seams& s) { s.stored_lse = lse_in_bf16; }},
    Mutant{"lse_log2_bwd", "the stored LSE is in base 2 and taken for natural", "", bwd,
           Axis::everywhere | Axis::factor | Axis::rows,
           [](Seams& s) { s.stored_lse = lse_in_bits; }},
    Mutant{"bwd_p_truncated", "P is cut to storage before dV, not rounded", "", bwd,
           Axis::everywhere | Axis::factor, [](Seams& s) { s.round_p = p_cut; }},
    Mutant{"ds_truncated", "dS is cut to storage, not rounded", "", bwd,
           Axis::everywhere | Axis::factor, [](Seams& s) { s.score_gradient = ds_cut; }},
    Mutant{"ds_from_bf16", "dS is made of P and dP in bf16", "", bwd, Axis::everywhere,
           [](Seams& s) { s.score_gradient = ds_from_bf16; }},
    Mutant{"ds_bf16", "dS is rounded to bf16 whatever the dtype", "", bwd, Axis::everywhere,
           [](Seams& s) { s.score_gradient = ds_to_bf16; }},
    Mutant{"dov_tail", "the last 8 channels are left out of dO V^T", "", bwd,
           Axis::channel | Axis::everywhere, [](Seams& s) { s.dot = dot_without_tail; }},
    Mutant{"dq_tile", "the middle tile of keys is not added to dQ", "", bwd, Axis::tile,
           [](Seams& s) { s.reduces = all_but_middle_keys<TensorName::dq>; }},
    Mutant{"dq_last_tile", "the last tile of keys is not added to dQ", "", bwd,
           Axis::tile | Axis::key | Axis::mask_edge,
           [](Seams& s) { s.reduces = dq_without_last_tile; }},
    Mutant{"dk_tile", "the middle tile of queries is not added to dK", "", bwd, Axis::tile,
           [](Seams& s) { s.reduces = all_but_middle_queries<TensorName::dk>; }},
    Mutant{"dv_tile", "the middle tile of queries is not added to dV", "", bwd, Axis::tile,
           [](Seams& s) { s.reduces = all_but_middle_queries<TensorName::dv>; }},
    Mutant{"dkdv_query_tail_lost", "a tile of queries that is not full is not added to dK and dV",
           "", bwd, Axis::tile | Axis::zero, [](Seams& s) { s.reduces = dkdv_without_query_tail; }},
    Mutant{"group_one_head", "dK and dV come from the first query head of the group", "", bwd,
           Axis::head, [](Seams& s) { s.reduces = dkdv_of_first_head; }},
    Mutant{"dkdv_group_lost_last", "dK and dV miss the last query head of the group", "", bwd,
           Axis::head, [](Seams& s) { s.reduces = dkdv_without_last_head; }},
    Mutant{"dq_acc_bf16", "dQ is kept in bf16 between the tiles of keys", "", bwd, Axis::everywhere,
           [](Seams& s) { s.accumulate = accumulate_narrow<Dtype::bf16, true>; }},
    Mutant{"dq_acc_fp16", "dQ is kept in fp16 between the tiles of keys", "", bwd, Axis::everywhere,
           [](Seams& s) { s.accumulate = accumulate_narrow<Dtype::f16, true>; }},
    Mutant{"dkdv_acc_bf16", "dK and dV are kept in bf16 between the tiles of queries", "", bwd,
           Axis::everywhere,
           [](Seams& s) { s.accumulate = accumulate_narrow<Dtype::bf16, false>; }},
    Mutant{"dkdv_acc_fp16", "dK and dV are kept in fp16 between the tiles of queries", "", bwd,
           Axis::everywhere, [](Seams& s) { s.accumulate = accumulate_narrow<Dtype::f16, false>; }},
    Mutant{"grads_zero", "dQ, dK and dV are all zeros", "", bwd, Axis::zero,
           [](Seams& s) { s.emit = all_zeros; }},
    Mutant{"dq_zero", "dQ is all zeros", "", bwd, Axis::zero,
           [](Seams& s) { s.emit = zeros<TensorName::dq>; }},
    Mutant{"dk_zero", "dK is all zeros", "", bwd, Axis::zero,
           [](Seams& s) { s.emit = zeros<TensorName::dk>; }},
    Mutant{"dv_zero", "dV is all zeros", "", bwd, Axis::zero,
           [](Seams& s) { s.emit = zeros<TensorName::dv>; }},
    Mutant{"dq_110", "dQ is 10 % too large", "", bwd, Axis::factor,
           [](Seams& s) { s.emit = gain_110<TensorName::dq>; }},
    Mutant{"dk_110", "dK is 10 % too large", "", bwd, Axis::factor,
           [](Seams& s) { s.emit = gain_110<TensorName::dk>; }},
    Mutant{"dv_scaled", "dV is scaled as the scores are", "", bwd, Axis::factor,
           [](Seams& s) { s.emit = dv_scaled; }},
    Mutant{"dkdv_tail_unwritten", "the last tile of dK and dV is not written unless it is full", "",
           bwd, Axis::zero, [](Seams& s) { s.emit = key_tail_unwritten; }},
};

}  // namespace

std::span<const Mutant> gradient_mutants() {
  return gradient_table;
}

}  // namespace fathom::mutant
