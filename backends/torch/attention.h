// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/schema_call.h"
#include "backends/torch/variant.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

namespace fathom::sdpa {

/// The operands of one call: (B,H,S,D) tensors on the device, KV heads not repeated.
struct Operands {
  at::Tensor query, key, value;
  at::Tensor grad_out;             ///< Undefined without a backward.
  std::optional<at::Tensor> mask;  ///< Added to the scores; (1 or B, 1, Sq, Sk).
  bool is_causal = false;
  bool grouped = false;  ///< Fewer KV heads than query heads.
  std::optional<double> scale;
};

/// What a forward pass leaves: the output (B,Hq,Sq,dv), the LSE (B,Hq,Sq) where the op has one, and
/// what its backward wants to have back.
struct Forward {
  at::Tensor output, logsumexp;
  at::Tensor query, key, value;  ///< As the op saw them.
  Results results;
};

struct Gradients {
  at::Tensor query, key, value;
};

/// One variant of torch's attention, called by schema name, forward and backward apart.
class Attention {
 public:
  /// Throws Error if this torch has not the ops. `with_backward`: forward keeps what it needs.
  Attention(const Variant& variant, bool with_backward);

  /// Why the ops of this torch cannot be asked this (the operands may be undefined tensors).
  [[nodiscard]] std::optional<std::string> why_not(const Operands& operands) const;

  [[nodiscard]] Forward forward(const Operands& operands) const;
  /// `keep` leaves the forward usable for another backward.
  [[nodiscard]] Gradients backward(const Operands& operands, const Forward& forward,
                                   bool keep) const;

 private:
  const Variant& variant_;
  bool with_backward_;
  SchemaCall forward_;
  std::optional<SchemaCall> backward_;  ///< Empty: autograd.
};

}  // namespace fathom::sdpa
