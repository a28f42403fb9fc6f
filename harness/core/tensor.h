// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/dtype.h"
#include "harness/core/problem.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// Inputs q, k, v, dout (cotangent of O), dlse (cotangent of LSE); outputs o, lse, dq, dk, dv.
enum class TensorName : std::uint8_t { q, k, v, dout, dlse, o, lse, dq, dk, dv };

std::string_view to_string(TensorName name);
std::optional<TensorName> parse_tensor_name(std::string_view text);

/// Contiguous in its shape's order. LSE and dLSE are (B,Hq,Sq) dense or (Hq,T) packed, natural log,
/// f32 (f64 in an f64 Problem).
struct TensorSpec {
  TensorName name = TensorName::q;
  Dtype dtype = Dtype::f32;
  std::vector<Index> shape;
  bool operator==(const TensorSpec&) const = default;
};

Index element_count(const TensorSpec& spec);
Index byte_count(const TensorSpec& spec);
std::vector<Index> contiguous_strides(const TensorSpec& spec);

/// q, k, v; with a backward dout, and dlse if the Problem gives one.
std::vector<TensorSpec> input_specs(const Problem& problem);
/// o; lse if it is wanted or required; with a backward dq, dk, dv.
std::vector<TensorSpec> output_specs(const Problem& problem);

/// Where the rows of one (sequence, head) lie inside a tensor: row r, channel c is element
/// offset + r * row_stride + c. `head` is a KV head for k, v, dk, dv.
struct HeadView {
  Index offset = 0;
  Index row_stride = 0;
  Index rows = 0;
  Index channels = 0;  ///< 1 for lse and dlse.
};
HeadView head_view(const Problem& problem, TensorName name, Index sequence, Index head);
Index head_count(const Problem& problem, TensorName name);

/// Inverse of head_view: which (sequence, head, row, channel) an element is.
struct ElementPlace {
  Index sequence = 0;
  Index head = 0;
  Index row = 0;
  Index channel = 0;
  bool operator==(const ElementPlace&) const = default;
};
ElementPlace place_of(const Problem& problem, TensorName name, Index element);

/// A tensor somewhere in memory; owns nothing.
struct TensorView {
  TensorSpec spec;
  std::span<const std::byte> bytes;
};
struct MutableTensorView {
  TensorSpec spec;
  std::span<std::byte> bytes;
};

/// A tensor with its storage.
struct Tensor {
  TensorSpec spec;
  std::vector<std::byte> bytes;
  [[nodiscard]] TensorView view() const { return {spec, bytes}; }
};
using TensorSet = std::map<TensorName, Tensor>;

}  // namespace fathom
