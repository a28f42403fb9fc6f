// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/mutants.h"
#include "backends/mutant/places.h"
#include "backends/mutant/rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

// Defects of the forward arithmetic: scale, narrow numbers, the online softmax, the merge of
// splits. Scale and tf32 serve both passes.

namespace fathom::mutant {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

float scale_101(const Head& head, ScaleOf what) {
  return honest::scale(head, what) * (what == ScaleOf::scores ? 1.01F : 1.0F);
}

float scale_one(const Head& head, ScaleOf what) {
  return what == ScaleOf::scores ? 1.0F : honest::scale(head, what);
}

float default_scale(Index channels) {
  return 1 / std::sqrt(static_cast<float>(channels));
}

float scale_of_padded(const Head& head, ScaleOf what) {
  constexpr Index multiple = 32;
  const Problem& problem = head.problem();
  if (problem.softmax_scale) return honest::scale(head, what);
  return default_scale((problem.head_dim + multiple - 1) / multiple * multiple);
}

float scale_ignored(const Head& head, ScaleOf what) {
  return head.problem().softmax_scale ? default_scale(head.problem().head_dim)
                                      : honest::scale(head, what);
}

void rescale_nothing(const ConstColumnBlock& /*factors*/, Partial& /*partial*/) {}

void rescale_sum_only(const ConstColumnBlock& factors, Partial& partial) {
  partial.sum *= factors;
}

void rescale_o_only(const ConstColumnBlock& factors, Partial& partial) {
  partial.o.array().colwise() *= factors;
}

void sum_rounded_p(const Tile& tile, Block p, ColumnBlock sums) {
  honest::round_p(tile, p, sums);
  const bool rounds = tile.at.problem().dtype != Dtype::f32;
  if (rounds && sums.size() > 0) sums = p.rowwise().sum().array();
}

void truncate_p(const Tile& tile, Block p, ColumnBlock /*sums*/) {
  const Rounding rounding = is_backward(tile.at) ? Rounding::rne : Rounding::rtz;
  round_rows(tile.at.problem().dtype, p, rounding);
}

void p_to_bf16(const Tile& tile, Block p, ColumnBlock sums) {
  if (!is_backward(tile.at)) round_rows(Dtype::bf16, p);
  honest::round_p(tile, p, sums);
}

/// The accumulator kept in a narrow dtype between the tiles of keys.
template <Dtype dtype>
void weigh_narrow(const ConstBlock& p, const ConstBlock& v, Block o) {
  honest::weigh(p, v, o);
  round_rows(dtype, o);
}

constexpr Index step = 16;  ///< Depth of one tensor-core instruction.

/// The accumulator kept in fp16 inside a product too, as fp16-accumulating instructions do.
void weigh_in_fp16_steps(const ConstBlock& p, const ConstBlock& v, Block o) {
  for (Index at = 0; at < p.cols(); at += step) {
    const Index depth = std::min(step, p.cols() - at);
    honest::weigh(p.middleCols(at, depth), v.middleRows(at, depth), o);
    round_rows(Dtype::f16, o);
  }
}

void scores_in_fp16_steps(const Tile& tile, TensorName keys_of, const ConstBlock& a,
                          const ConstBlock& b, Block to) {
  if (keys_of != TensorName::k || is_backward(tile.at)) {
    return honest::dot(tile, keys_of, a, b, to);
  }
  to.setZero();
  for (Index at = 0; at < a.cols(); at += step) {
    const Index depth = std::min(step, a.cols() - at);
    to.noalias() += a.middleCols(at, depth) * b.middleCols(at, depth).transpose();
    round_rows(Dtype::f16, to);
  }
}

void scores_rounded(const Tile& tile, TensorName keys_of, const ConstBlock& a, const ConstBlock& b,
                    Block to) {
  honest::dot(tile, keys_of, a, b, to);
  if (keys_of == TensorName::k && !is_backward(tile.at)) round_rows(tile.at.problem().dtype, to);
}

Matrix in_tf32(const ConstBlock& numbers) {
  Matrix cut = numbers;
  round_to_tf32(cut.data(), cut.size());
  return cut;
}

void dot_in_tf32(const Tile& tile, TensorName keys_of, const ConstBlock& a, const ConstBlock& b,
                 Block to) {
  honest::dot(tile, keys_of, in_tf32(a), in_tf32(b), to);
}

void weigh_in_tf32(const ConstBlock& p, const ConstBlock& v, Block o) {
  honest::weigh(in_tf32(p), in_tf32(v), o);
}

void finish_inverse_in_bf16(const Tile& /*tile*/, Partial& partial) {
  for (Index row = 0; row < partial.o.rows(); ++row) {
    const float sum = partial.sum[row];
    float inverse = sum > 0 ? 1 / sum : 0.0F;
    round_numbers(Dtype::bf16, &inverse, 1);
    partial.o.row(row) *= inverse;
    partial.lse[row] = sum > 0 ? partial.max[row] + std::log(sum) : -infinity;
  }
}

void finish_with_one_more(const Tile& tile, Partial& partial) {
  for (Index row = 0; row < partial.o.rows(); ++row) {
    if (partial.sum[row] > 0) partial.sum[row] += std::exp(-partial.max[row]);
  }
  honest::finish(tile, partial);
}

void finish_without_exit(const Tile& tile, Partial& partial) {
  honest::finish(tile, partial);
  if (tile.at.lengths().key_length == 0) partial.o.setConstant(not_a_number);  // 0 / 0
}

void finish_sum_in_bf16(const Tile& tile, Partial& partial) {
  round_numbers(Dtype::bf16, partial.sum.data(), partial.sum.size());
  honest::finish(tile, partial);
}

void finish_lse_in_bf16(const Tile& tile, Partial& partial) {
  honest::finish(tile, partial);
  if (partial.splits > 1) round_numbers(Dtype::bf16, partial.lse.data(), partial.lse.size());
}

void finish_o_in_bf16(const Tile& tile, Partial& partial) {
  honest::finish(tile, partial);
  if (partial.splits > 1) round_rows(Dtype::bf16, partial.o);
}

void merge_without_last(std::span<const Partial> partials, Merged& merged) {
  honest::merge(partials.first(std::max<std::size_t>(1, partials.size() - 1)), merged);
}

void merge_by_mean(std::span<const Partial> partials, Merged& merged) {
  honest::merge(partials, merged);
  if (partials.size() == 1) return;
  for (Index row = 0; row < merged.o.rows(); ++row) {
    float count = 0;
    merged.o.row(row).setZero();
    for (const Partial& partial : partials) {
      if (partial.lse[row] == -infinity) continue;
      merged.o.row(row) += partial.o.row(row);
      ++count;
    }
    if (count > 0) merged.o.row(row) /= count;
  }
}

void merge_empty_to_nan(std::span<const Partial> partials, Merged& merged) {
  honest::merge(partials, merged);
  if (partials.size() == 1) return;
  for (Index row = 0; row < merged.o.rows(); ++row) {
    if (merged.lse[row] != -infinity) continue;
    merged.o.row(row).setConstant(not_a_number);  // exp(-infinity - -infinity)
    merged.lse[row] = not_a_number;
  }
}

void merge_with_last_lse(std::span<const Partial> partials, Merged& merged) {
  honest::merge(partials, merged);
  for (Index row = 0; row < merged.o.rows(); ++row) {
    for (const Partial& partial : partials) {
      if (partial.lse[row] != -infinity) merged.lse[row] = partial.lse[row];
    }
  }
}

constexpr std::array arithmetic_table{
    Mutant{"scale_101", "the softmax scale is 1 % too large", "", fwd, Axis::factor,
           [](Seams& s) { s.scale = scale_101; }},
    Mutant{"no_scale", "the scores are not scaled", "", fwd, Axis::factor,
           [](Seams& s) { s.scale = scale_one; }},
    Mutant{"scale_padded_d", "the default scale is that of d filled up to a multiple of 32",
           "intel/ipex-llm#12619", fwd, Axis::factor, [](Seams& s) { s.scale = scale_of_padded; }},
    Mutant{"scale_ignored", "a scale that is asked for is not honoured", "", fwd, Axis::factor,
           [](Seams& s) { s.scale = scale_ignored; }},
    Mutant{"rescale_skipped", "a new maximum does not rescale what was summed before", "", fwd,
           Axis::everywhere | Axis::factor | Axis::rows,
           [](Seams& s) { s.rescale = rescale_nothing; }},
    Mutant{"rescale_o_skipped", "a new maximum rescales the sum of P and not O", "", fwd,
           Axis::everywhere | Axis::factor | Axis::rows,
           [](Seams& s) { s.rescale = rescale_sum_only; }},
    Mutant{"rescale_o_only", "a new maximum rescales O and not the sum of P", "", fwd,
           Axis::everywhere | Axis::factor | Axis::rows,
           [](Seams& s) { s.rescale = rescale_o_only; }},
    Mutant{"l_from_rounded_p", "the sum of P is taken after its rounding", "", fwd,
           Axis::everywhere | Axis::lse | Axis::factor,
           [](Seams& s) { s.round_p = sum_rounded_p; }},
    Mutant{"l_bf16", "the sum of P is rounded to bf16", "", fwd,
           Axis::everywhere | Axis::factor | Axis::rows,
           [](Seams& s) { s.finish = finish_sum_in_bf16; }},
    Mutant{"inv_l_bf16", "the reciprocal of the sum is rounded to bf16", "", fwd,
           Axis::everywhere | Axis::factor | Axis::rows,
           [](Seams& s) { s.finish = finish_inverse_in_bf16; }},
    Mutant{"acc_bf16", "O is kept in bf16 between the tiles of keys",
           "Xilinx/mlir-air#1606, pytorch/executorch#20090", fwd, Axis::everywhere,
           [](Seams& s) { s.weigh = weigh_narrow<Dtype::bf16>; }},
    Mutant{"acc_fp16", "O is kept in fp16 between the tiles of keys", "sonos/tract#2586", fwd,
           Axis::everywhere, [](Seams& s) { s.weigh = weigh_narrow<Dtype::f16>; }},
    Mutant{"acc_fp16_inner", "O is summed in fp16, 16 keys at a time", "", fwd, Axis::everywhere,
           [](Seams& s) { s.weigh = weigh_in_fp16_steps; }},
    Mutant{"qk_acc_fp16", "scores are summed in fp16, 16 channels at a time", "", fwd,
           Axis::everywhere | Axis::lse, [](Seams& s) { s.dot = scores_in_fp16_steps; }},
    Mutant{"s_rounded", "scores are rounded to storage", "", fwd, Axis::everywhere | Axis::lse,
           [](Seams& s) { s.dot = scores_rounded; }},
    Mutant{"p_truncated", "P is cut to storage, not rounded", "", fwd,
           Axis::everywhere | Axis::factor, [](Seams& s) { s.round_p = truncate_p; }},
    Mutant{"p_bf16", "P is rounded to bf16 whatever the dtype", "", fwd, Axis::everywhere,
           [](Seams& s) { s.round_p = p_to_bf16; }},
    Mutant{"tf32_in_fp32", "the operands of Q K^T and P V keep 10 bits",
           "triton-lang/triton#1671, triton-lang/triton#1821", fwd, Axis::everywhere,
           [](Seams& s) {
             s.dot = dot_in_tf32;
             s.weigh = weigh_in_tf32;
           }},
    Mutant{"softmax_plus_one", "the denominator holds one more score, of 0", "", fwd,
           Axis::factor | Axis::key | Axis::mask_edge,
           [](Seams& s) { s.finish = finish_with_one_more; }},
    Mutant{"zero_len_no_exit", "a sequence without keys is normalised by 0",
           "Dao-AILab/flash-attention#1155, Dao-AILab/flash-attention#2562", fwd,
           Axis::zero | Axis::rows, [](Seams& s) { s.finish = finish_without_exit; }},
    Mutant{"split_lse_bf16", "the LSE of every split is rounded to bf16", "", fwd,
           // One split that has all the keys of a row weighs 1: then the LSE alone is wrong.
           Axis::everywhere | Axis::lse, [](Seams& s) { s.finish = finish_lse_in_bf16; }},
    Mutant{"split_o_bf16", "the O of every split is rounded to bf16", "", fwd, Axis::everywhere,
           [](Seams& s) { s.finish = finish_o_in_bf16; }},
    Mutant{"last_split_lost", "the merge leaves the last split out",
           "Dao-AILab/flash-attention#1647, Dao-AILab/flash-attention#2550", fwd,
           // A split is a run of whole tiles; rows that see no other key are zeros.
           Axis::key | Axis::tile | Axis::zero, [](Seams& s) { s.merge = merge_without_last; }},
    Mutant{"merge_unweighted", "O is the plain mean of the splits", "", fwd, Axis::everywhere,
           [](Seams& s) { s.merge = merge_by_mean; }},
    Mutant{"combine_all_empty", "a row that no split gives a key is not a number", "", fwd,
           Axis::zero | Axis::rows,  // Rows that see no key, and no others.
           [](Seams& s) { s.merge = merge_empty_to_nan; }},
    Mutant{"lse_of_last_split", "the LSE is that of the last split with keys", "", fwd, Axis::lse,
           [](Seams& s) { s.merge = merge_with_last_lse; }},
};

}  // namespace

std::span<const Mutant> arithmetic_mutants() {
  return arithmetic_table;
}

}  // namespace fathom::mutant
