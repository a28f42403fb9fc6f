// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/schema_call.h"
#include "harness/core/types.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

namespace fathom::fa3 {

/// The operands of one call, on the device: (B,S,H,D), or (T,H,D) packed.
struct Operands {
  at::Tensor query, key, value;
  at::Tensor grad_out;  ///< Undefined without a backward.
  /// int32; undefined: not given.
  at::Tensor cu_seqlens_q, cu_seqlens_k, seqused_q, seqused_k;
  std::optional<Index> max_seqlen_q, max_seqlen_k;
  std::optional<double> scale;
  bool is_causal = false;
  Index window_left = -1;
  Index window_right = -1;
  bool deterministic = false;  ///< Of the backward; the forward always is.
};

/// What a forward pass leaves. The op writes `output` where a query is used, and so does `lse`.
struct Forward {
  at::Tensor output;  ///< Shaped as the query, dv wide.
  at::Tensor lse;     ///< (B,H,S), or (H,T) packed; any number where no query is used.
};

/// Where gradients go: the op writes the rows of used queries and of used keys.
struct Gradients {
  at::Tensor query, key, value;
};

/// fwd and bwd of one op library, called by schema name.
class Ops {
 public:
  /// `library`: flash_attn_3, fa3_fwd. Throws Error if it has no fwd.
  explicit Ops(const std::string& library);

  /// Why there are no gradients; empty if bwd is there.
  [[nodiscard]] std::optional<std::string> why_no_backward() const;
  [[nodiscard]] bool has_kernel(c10::DispatchKey key) const { return forward_.has_kernel(key); }

  /// Writes into `output` and returns the LSE.
  [[nodiscard]] at::Tensor forward(const Operands& operands, const at::Tensor& output) const;
  /// Needs why_no_backward to be empty.
  void backward(const Operands& operands, const Forward& forward, const Gradients& into) const;

 private:
  std::string library_;
  sdpa::SchemaCall forward_;
  std::optional<sdpa::SchemaCall> backward_;
};

}  // namespace fathom::fa3
