// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/mutants.h"
#include "backends/mutant/places.h"
#include "backends/mutant/rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

// Defects of what the forward pass writes.

namespace fathom::mutant {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

template <TensorName name>
void zeros(OutputTile& tile) {
  if (tile.name == name) tile.values.setZero();
}

void o_gain(OutputTile& tile) {
  if (tile.name == TensorName::o) tile.values *= 1.01F;
}

void o_cut(OutputTile& tile) {
  if (tile.name == TensorName::o) tile.rounding = Rounding::rtz;
}

void o_rows_swapped(OutputTile& tile) {
  if (tile.name != TensorName::o || tile.values.rows() < 2) return;
  tile.values.row(0).swap(tile.values.row(1));
}

void o_channels_swapped(OutputTile& tile) {
  if (tile.name != TensorName::o || tile.values.cols() < 2) return;
  tile.values.col(0).swap(tile.values.col(1));
}

void one_element(OutputTile& tile) {
  const Index row = tile.at.lengths().query_length / 2 - tile.row;
  const bool here = tile.at.sequence == 0 && tile.at.head == 0 && row >= 0 &&
                    row < tile.values.rows() && tile.name == TensorName::o;
  if (here) tile.values(row, tile.values.cols() / 2) *= 1.5F;
}

void second_sequence_unwritten(OutputTile& tile) {
  if (tile.at.sequence == 1 && !is_backward(tile.at)) tile.written.fill(false);
}

void tail_unwritten(OutputTile& tile) {
  if (tile.values.rows() < tile_size && !is_backward(tile.at)) tile.written.fill(false);
}

/// Calls `body` with each row of a tile of o or lse that sees no key.
template <typename Body>
void for_each_empty_row(const OutputTile& tile, Body body) {
  if (is_backward(tile.at)) return;
  for (Index row = 0; row < tile.values.rows(); ++row) {
    if (honest::visible({tile.at, tile.row + row}).empty()) body(row);
  }
}

void empty_rows_unwritten(OutputTile& tile) {
  for_each_empty_row(tile, [&](Index row) { tile.written[static_cast<std::size_t>(row)] = false; });
}

template <bool minus>
void empty_rows_other_lse(OutputTile& tile) {
  if (tile.name != TensorName::lse) return;
  for_each_empty_row(tile, [&](Index row) { tile.values(row, 0) = minus ? -1e30F : infinity; });
}

/// A mask of the most negative finite number instead of -infinity: all weights are equal.
void empty_rows_mean(OutputTile& tile) {
  const Index keys = tile.at.lengths().key_length;
  if (keys == 0) return;
  if (tile.name == TensorName::lse) {
    constexpr float lowest = std::numeric_limits<float>::lowest();
    for_each_empty_row(tile, [&](Index row) { tile.values(row, 0) = lowest; });
  } else if (tile.name == TensorName::o) {
    for_each_empty_row(tile, [&](Index row) {
      Matrix v(keys, tile.values.cols());
      read_rows(open(tile.at, TensorName::v), 0, v);
      tile.values.row(row) = v.colwise().mean();
    });
  }
}

void lse_in_bits(OutputTile& tile) {
  constexpr float ln_2 = 0.693147182F;
  if (tile.name == TensorName::lse) tile.values /= ln_2;
}

void lse_without_max(OutputTile& tile) {
  if (tile.name != TensorName::lse) return;
  for (Index row = 0; row < tile.values.rows(); ++row) {
    if (std::isfinite(tile.max[row])) tile.values(row, 0) -= tile.max[row];
  }
}

void lse_to_bf16(OutputTile& tile) {
  if (tile.name != TensorName::lse) return;
  round_numbers(Dtype::bf16, tile.values.data(), tile.values.size());
}

void lse_of_next_row(OutputTile& tile) {
  const Index rows = tile.values.rows();
  if (tile.name != TensorName::lse || rows < 2) return;
  const Matrix from = tile.values.bottomRows(rows - 1);
  tile.values.topRows(rows - 1) = from;
}

/// The LSE of every sequence (of the batch, if it is packed) with its two axes exchanged.
void lse_transposed(const Call& call) {
  const auto lse = call.outputs.find(TensorName::lse);
  if (lse == call.outputs.end()) return;
  const std::vector<Index>& shape = lse->second.spec.shape;
  const Index rows = shape.back();
  const Index heads = shape[shape.size() - 2];
  auto* numbers = reinterpret_cast<float*>(lse->second.bytes.data());
  for (Index block = 0; block < element_count(lse->second.spec); block += rows * heads) {
    Eigen::Map<Matrix> right(numbers + block, heads, rows);
    const Matrix wrong = right.transpose();
    std::copy_n(wrong.data(), wrong.size(), numbers + block);
  }
}

void previous_output(const Call& call) {
  const auto o = call.outputs.at(TensorName::o).bytes;
  std::vector<std::byte> now(o.begin(), o.end());
  call.last_out.resize(now.size());  // Behind a shorter one, and before the first, lie zeros.
  std::copy(call.last_out.begin(), call.last_out.end(), o.begin());
  call.last_out = std::move(now);
}

/// One number right behind O, where the driver has its guard.
void write_behind(const Call& call) {
  const MutableTensorView& o = call.outputs.at(TensorName::o);
  float one = 1;
  store_numbers(o.spec.dtype, &one, 1, o.bytes.data() + o.bytes.size(), Rounding::rne);
}

void flip_when_unlucky(const Call& call) {
  const auto o = call.outputs.at(TensorName::o).bytes;
  if (is_unlucky(call) && !o.empty()) o[o.size() / 4 * 2] ^= std::byte{1};
}

/// Views are read-only by promise; the memory is writable, as a GPU's is.
void scale_q_in_place(const Call& call) {
  const TensorView& q = call.inputs.at(TensorName::q);
  auto* bytes = const_cast<std::byte*>(q.bytes.data());
  std::vector<float> numbers(static_cast<std::size_t>(element_count(q.spec)));
  const auto count = static_cast<Index>(numbers.size());
  load_numbers(q.spec.dtype, bytes, count, numbers.data());
  const auto scale = static_cast<float>(softmax_scale(call.problem));
  for (float& number : numbers) number *= scale;
  store_numbers(q.spec.dtype, numbers.data(), count, bytes, Rounding::rne);
}

float scale_of_dq_only(const Head& head, ScaleOf what) {
  return what == ScaleOf::dq ? honest::scale(head, what) : 1.0F;
}

constexpr std::array output_table{
    Mutant{"out_zero", "O is all zeros", "", fwd, Axis::zero,
           [](Seams& s) { s.emit = zeros<TensorName::o>; }},
    Mutant{"lse_zero", "the LSE is all zeros", "", fwd, Axis::lse,
           [](Seams& s) { s.emit = zeros<TensorName::lse>; }},
    Mutant{"out_stale", "O is what the call before this one gave", "", fwd,
           Axis::stale | Axis::zero, [](Seams& s) { s.end = previous_output; }},
    Mutant{"gain_101", "O is 1 % too large", "", fwd, Axis::factor,
           [](Seams& s) { s.emit = o_gain; }},
    Mutant{"o_truncated", "O is cut to storage, not rounded", "", fwd,
           Axis::everywhere | Axis::factor, [](Seams& s) { s.emit = o_cut; }},
    Mutant{"o_rows_swapped", "the first two rows of every tile of O are exchanged", "", fwd,
           Axis::rows, [](Seams& s) { s.emit = o_rows_swapped; }},
    Mutant{"o_channels_swapped", "the first two channels of O are exchanged", "", fwd,
           Axis::channel, [](Seams& s) { s.emit = o_channels_swapped; }},
    Mutant{"one_element", "one element of O is 50 % too large", "", fwd, Axis::rows,
           [](Seams& s) { s.emit = one_element; }},
    Mutant{"sequence_skipped", "O and LSE of the second sequence are not written", "", fwd,
           Axis::sequence | Axis::zero, [](Seams& s) { s.emit = second_sequence_unwritten; }},
    Mutant{"query_tail_unwritten", "the last tile of rows is not written unless it is full", "",
           fwd, Axis::zero, [](Seams& s) { s.emit = tail_unwritten; }},
    Mutant{"empty_rows_unwritten", "rows that see no key are not written",
           "Dao-AILab/flash-attention#1778", fwd, Axis::zero,
           [](Seams& s) { s.emit = empty_rows_unwritten; }},
    Mutant{"empty_row_mean", "rows that see no key give the mean of V", "", fwd,
           Axis::rows | Axis::mask_edge, [](Seams& s) { s.emit = empty_rows_mean; }},
    Mutant{"empty_row_lse_inf", "the LSE of rows that see no key is +infinity", "", fwd, Axis::lse,
           [](Seams& s) { s.emit = empty_rows_other_lse<false>; }},
    Mutant{"empty_row_lse_finite", "the LSE of rows that see no key is -1e30", "", fwd, Axis::lse,
           [](Seams& s) { s.emit = empty_rows_other_lse<true>; }},
    Mutant{"lse_log2", "the LSE is returned in base 2",
           "flashinfer-ai/flashinfer#4547, vllm-project/vllm#43919", fwd, Axis::lse,
           [](Seams& s) { s.emit = lse_in_bits; }},
    Mutant{"lse_no_max", "the LSE is returned without the row's maximum", "", fwd, Axis::lse,
           [](Seams& s) { s.emit = lse_without_max; }},
    Mutant{"lse_bf16", "the LSE is returned rounded to bf16", "", fwd, Axis::lse,
           [](Seams& s) { s.emit = lse_to_bf16; }},
    Mutant{"lse_of_next_row", "every row of a tile returns the LSE of the next one", "", fwd,
           Axis::lse, [](Seams& s) { s.emit = lse_of_next_row; }},
    Mutant{"lse_transposed", "the LSE is laid out rows before heads", "", fwd,
           Axis::lse | Axis::rows, [](Seams& s) { s.end = lse_transposed; }},
    Mutant{"write_past_end", "one element behind the last row of O is written", "", fwd,
           Axis::rows | Axis::stale, [](Seams& s) { s.end = write_behind; }},
    Mutant{"race_one_bit", "in one of three calls one bit of O differs", "", fwd, Axis::repeat,
           [](Seams& s) { s.end = flip_when_unlucky; }},
    Mutant{"input_written", "Q is scaled in place", "", fwd, Axis::stale,
           [](Seams& s) {
             s.begin = scale_q_in_place;
             s.scale = scale_of_dq_only;
           }},
};

}  // namespace

std::span<const Mutant> output_mutants() {
  return output_table;
}

}  // namespace fathom::mutant
