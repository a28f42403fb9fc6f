// SPDX-License-Identifier: Apache-2.0
#include "harness/core/tensor.h"

#include <array>
#include <utility>

namespace fathom {
namespace {

/// Which axes of the Problem a tensor has.
struct TensorRow {
  TensorName name;
  std::string_view text;
  bool over_keys;   ///< Rows are keys (k, v, dk, dv), else queries.
  bool value_wide;  ///< Channels are value_dim, else head_dim.
  bool per_row;     ///< One number a row: lse, dlse.
};
constexpr std::array rows{
    TensorRow{TensorName::q, "q", false, false, false},
    TensorRow{TensorName::k, "k", true, false, false},
    TensorRow{TensorName::v, "v", true, true, false},
    TensorRow{TensorName::dout, "dout", false, true, false},
    TensorRow{TensorName::dlse, "dlse", false, false, true},
    TensorRow{TensorName::o, "o", false, true, false},
    TensorRow{TensorName::lse, "lse", false, false, true},
    TensorRow{TensorName::dq, "dq", false, false, false},
    TensorRow{TensorName::dk, "dk", true, false, false},
    TensorRow{TensorName::dv, "dv", true, true, false},
};

const TensorRow& row_of(TensorName name) {
  return rows[static_cast<std::size_t>(name)];
}

Index channels_of(const Problem& p, const TensorRow& row) {
  if (row.per_row) return 1;
  return row.value_wide ? p.value_dim : p.head_dim;
}

Index length_of(const Sequence& s, const TensorRow& row) {
  return row.over_keys ? s.key_length : s.query_length;
}

/// Tokens before the sequence (packed); in all, for the number of sequences.
Index tokens_before(const Problem& p, const TensorRow& row, Index sequence) {
  Index sum = 0;
  for (Index i = 0; i < sequence; ++i) {
    sum += length_of(p.sequences[static_cast<std::size_t>(i)], row);
  }
  return sum;
}

/// The sequence that holds a packed token, and its first token.
std::pair<Index, Index> sequence_with(const Problem& p, const TensorRow& row, Index token) {
  Index start = 0;
  for (std::size_t i = 0; i < p.sequences.size(); ++i) {
    const Index length = length_of(p.sequences[i], row);
    if (token < start + length) return {static_cast<Index>(i), start};
    start += length;
  }
  return {0, 0};
}

TensorSpec make_spec(const Problem& p, TensorName name) {
  const TensorRow& row = row_of(name);
  const Index batch = static_cast<Index>(p.sequences.size());
  const Index heads = head_count(p, name);
  const Index channels = channels_of(p, row);
  const Index tokens = tokens_before(p, row, batch);
  const Index length = length_of(p.sequences.front(), row);
  TensorSpec spec{name, p.dtype, {}};
  if (row.per_row) {
    spec.dtype = p.dtype == Dtype::f64 ? Dtype::f64 : Dtype::f32;
    spec.shape = p.layout == Layout::thd ? std::vector<Index>{heads, tokens}
                                         : std::vector<Index>{batch, heads, length};
    return spec;
  }
  switch (p.layout) {
    case Layout::bshd: spec.shape = {batch, length, heads, channels}; break;
    case Layout::bhsd: spec.shape = {batch, heads, length, channels}; break;
    case Layout::thd: spec.shape = {tokens, heads, channels}; break;
  }
  return spec;
}

std::vector<TensorSpec> make_specs(const Problem& p, const std::vector<TensorName>& names) {
  std::vector<TensorSpec> specs;
  for (const TensorName name : names) specs.push_back(make_spec(p, name));
  return specs;
}

}  // namespace

std::string_view to_string(TensorName name) {
  return row_of(name).text;
}

std::optional<TensorName> parse_tensor_name(std::string_view text) {
  for (const TensorRow& row : rows) {
    if (row.text == text) return row.name;
  }
  return std::nullopt;
}

Index element_count(const TensorSpec& spec) {
  Index count = 1;
  for (const Index extent : spec.shape) count *= extent;
  return count;
}

Index byte_count(const TensorSpec& spec) {
  return element_count(spec) * info(spec.dtype).size;
}

std::vector<Index> contiguous_strides(const TensorSpec& spec) {
  std::vector<Index> strides(spec.shape.size(), 1);
  for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * spec.shape[i];
  return strides;
}

std::vector<TensorSpec> input_specs(const Problem& problem) {
  std::vector<TensorName> names{TensorName::q, TensorName::k, TensorName::v};
  if (has_backward(problem)) names.push_back(TensorName::dout);
  if (problem.lse_cotangent) names.push_back(TensorName::dlse);
  return make_specs(problem, names);
}

std::vector<TensorSpec> output_specs(const Problem& problem) {
  std::vector<TensorName> names{TensorName::o};
  if (problem.lse != LseRequest::no) names.push_back(TensorName::lse);
  if (has_backward(problem)) {
    names.insert(names.end(), {TensorName::dq, TensorName::dk, TensorName::dv});
  }
  return make_specs(problem, names);
}

Index head_count(const Problem& problem, TensorName name) {
  return row_of(name).over_keys ? problem.kv_heads : problem.query_heads;
}

HeadView head_view(const Problem& p, TensorName name, Index sequence, Index head) {
  const TensorRow& row = row_of(name);
  const Index heads = head_count(p, name);
  const Index channels = channels_of(p, row);
  const Index length = length_of(p.sequences[static_cast<std::size_t>(sequence)], row);
  const bool packed = p.layout == Layout::thd;
  const Index before = packed ? tokens_before(p, row, sequence) : sequence * length;
  if (row.per_row && packed) {
    const Index tokens = tokens_before(p, row, static_cast<Index>(p.sequences.size()));
    return {head * tokens + before, 1, length, 1};
  }
  if (row.per_row || p.layout == Layout::bhsd) {
    return {(sequence * heads + head) * length * channels, channels, length, channels};
  }
  return {(before * heads + head) * channels, heads * channels, length, channels};
}

ElementPlace place_of(const Problem& p, TensorName name, Index element) {
  const TensorRow& row = row_of(name);
  const Index heads = head_count(p, name);
  const Index channels = channels_of(p, row);
  const bool packed = p.layout == Layout::thd;
  const Index tokens = tokens_before(p, row, static_cast<Index>(p.sequences.size()));
  if (element < 0 || element >= tokens * heads * channels) return {};
  // Dense tensors are blocks of one sequence, a packed one is a single block of all of them.
  const Index length = packed ? tokens : length_of(p.sequences.front(), row);
  const Index block = element / (length * heads * channels);
  const Index inside = element / channels % (length * heads);
  const bool heads_outside = row.per_row || p.layout == Layout::bhsd;
  const Index head = heads_outside ? inside / length : inside % heads;
  const Index token = heads_outside ? inside % length : inside / heads;
  if (!packed) return {block, head, token, element % channels};
  const auto [sequence, start] = sequence_with(p, row, token);
  return {sequence, head, token - start, element % channels};
}

}  // namespace fathom
