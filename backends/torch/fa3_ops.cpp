// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_ops.h"

#include "harness/core/error.h"

#include <array>
#include <string_view>

namespace fathom::fa3 {
namespace {

c10::IValue maybe(const at::Tensor& tensor) {
  return tensor.defined() ? c10::IValue(tensor) : c10::IValue();
}

template <typename Number>
c10::IValue maybe(const std::optional<Number>& number) {
  return number ? c10::IValue(*number) : c10::IValue();
}

/// One argument that fwd and bwd share, by its name in both schemas.
struct Row {
  std::string_view name;
  c10::IValue (*value)(const Operands&);
};

/// What is not here takes the schema's default. A Problem that appends to a KV cache will add rows
/// for k_new, v_new, cu_seqlens_k_new, page_table, kv_batch_idx and leftpad_k.
constexpr std::array rows{
    Row{"q", [](const Operands& o) { return c10::IValue(o.query); }},
    Row{"k", [](const Operands& o) { return c10::IValue(o.key); }},
    Row{"v", [](const Operands& o) { return c10::IValue(o.value); }},
    Row{"cu_seqlens_q", [](const Operands& o) { return maybe(o.cu_seqlens_q); }},
    Row{"cu_seqlens_k", [](const Operands& o) { return maybe(o.cu_seqlens_k); }},
    Row{"seqused_q", [](const Operands& o) { return maybe(o.seqused_q); }},
    Row{"seqused_k", [](const Operands& o) { return maybe(o.seqused_k); }},
    Row{"max_seqlen_q", [](const Operands& o) { return maybe(o.max_seqlen_q); }},
    Row{"max_seqlen_k", [](const Operands& o) { return maybe(o.max_seqlen_k); }},
    Row{"softmax_scale", [](const Operands& o) { return maybe(o.scale); }},
    Row{"is_causal", [](const Operands& o) { return c10::IValue(o.is_causal); }},
    Row{"window_size_left", [](const Operands& o) { return c10::IValue(o.window_left); }},
    Row{"window_size_right", [](const Operands& o) { return c10::IValue(o.window_right); }},
};

/// Whether an op that does not take the value would answer another question.
bool changes_the_question(const c10::IValue& value) {
  if (value.isBool()) return value.toBool();
  if (value.isInt()) return value.toInt() != -1;
  return !value.isNone();
}

sdpa::Arguments shared_arguments(const Operands& operands) {
  sdpa::Arguments arguments;
  for (const Row& row : rows) {
    const c10::IValue value = row.value(operands);
    arguments.push_back({{std::string(row.name)}, value, changes_the_question(value)});
  }
  return arguments;
}

}  // namespace

Ops::Ops(const std::string& library) : library_(library), forward_(library + "::fwd") {
  const std::string bwd = library + "::bwd";
  if (c10::Dispatcher::singleton().findSchema({bwd, ""})) backward_.emplace(bwd);
}

std::optional<std::string> Ops::why_no_backward() const {
  if (backward_) return std::nullopt;
  return "this build of FlashAttention-3 has no op " + library_ + "::bwd, so no gradients";
}

at::Tensor Ops::forward(const Operands& operands, const at::Tensor& output) const {
  sdpa::Arguments arguments = shared_arguments(operands);
  arguments.push_back({{"out"}, output, true});
  // As flash_attn_func: splitting the keys makes bits depend on what else is in the batch.
  arguments.push_back({{"num_splits"}, Index{1}});
  return forward_.call(arguments).at(1).value.toTensor();
}

void Ops::backward(const Operands& operands, const Forward& forward, const Gradients& into) const {
  sdpa::Arguments arguments = shared_arguments(operands);
  arguments.push_back({{"dout"}, operands.grad_out, true});
  arguments.push_back({{"out"}, forward.output, true});
  arguments.push_back({{"softmax_lse"}, forward.lse, true});
  arguments.push_back({{"deterministic"}, operands.deterministic, operands.deterministic});
  // The results are not read: releases differ in how many there are and whether gradients come
  // first among them.
  arguments.push_back({{"dq"}, into.query, true});
  arguments.push_back({{"dk"}, into.key, true});
  arguments.push_back({{"dv"}, into.value, true});
  (void)backward_->call(arguments);
}

}  // namespace fathom::fa3
