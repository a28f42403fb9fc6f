// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/support.h"

#include "backends/torch/attention.h"
#include "backends/torch/tensors.h"
#include "backends/torch/torch_choice.h"
#include "backends/torch/torch_error.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace fathom::sdpa {
namespace {

/// Operands without contents, of the shapes that the op would see.
Operands shapes_of(const Variant& variant, const Device& device, const Problem& problem,
                   const Lowering& lowering, const Call& call) {
  const bool repeats = variant.gqa == Gqa::repeat;
  const Index kv_heads = repeats ? problem.query_heads : problem.kv_heads;
  const auto options = at::TensorOptions(device.where()).dtype(scalar_type(problem.dtype));
  const auto tensor = [&](Index heads, Index rows, Index channels) {
    return at::empty({call.count, heads, rows, channels}, options)
        .requires_grad_(has_backward(problem));
  };
  Operands operands;
  operands.query = tensor(problem.query_heads, call.query_length, problem.head_dim);
  operands.key = tensor(kv_heads, call.key_length, problem.head_dim);
  operands.value = tensor(kv_heads, call.key_length, problem.value_dim);
  operands.is_causal = call.is_causal;
  operands.grouped = kv_heads != problem.query_heads;
  operands.scale = problem.softmax_scale;
  if (lowering.dense_mask) {
    operands.mask = at::empty({1, 1, call.query_length, call.key_length}, options)
                        .expand({call.count, problem.query_heads, -1, -1});
  }
  return operands;
}

}  // namespace

std::optional<std::string> why_ops_absent(const Variant& variant) {
  const auto key = variant.on_gpu ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
  for (const std::string_view op : {variant.forward, variant.backward}) {
    if (op.empty()) continue;
    try {
      if (!SchemaCall(std::string(op)).has_kernel(key)) {
        return "this torch has no " + std::string(c10::toString(key)) + " kernel for " +
               std::string(op);
      }
    } catch (const Error& error) {
      return error.what();
    }
  }
  return std::nullopt;
}

std::optional<worker::Refusal> why_torch_cannot(const Variant& variant, const Device& device,
                                                const Problem& problem, const Lowering& lowering) {
  Operands nothing;
  nothing.is_causal = !lowering.dense_mask && has<Causal>(problem.mask);
  nothing.grouped = problem.kv_heads != problem.query_heads;
  nothing.scale = problem.softmax_scale;
  if (lowering.dense_mask) nothing.mask = at::Tensor();
  const Attention attention(variant, has_backward(problem));
  if (const auto reason = attention.why_not(nothing)) return worker::Refusal{"schema", *reason};
  if (!device.is_gpu() || variant.backward.empty()) return std::nullopt;
  return with_torchs_words([&]() -> std::optional<worker::Refusal> {
    for (const Call& call : lower(problem, lowering)) {
      const Operands operands = shapes_of(variant, device, problem, lowering, call);
      if (const auto reason = why_torch_refuses(variant.name, operands)) {
        return worker::Refusal{"torch", *reason};
      }
    }
    return std::nullopt;
  });
}

}  // namespace fathom::sdpa
