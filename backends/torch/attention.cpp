// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/attention.h"

#include "harness/core/error.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace fathom::sdpa {
namespace {

/// Results of a forward op and arguments of its backward that are the same thing, though a release
/// or an op calls it otherwise.
const std::vector<std::vector<std::string>> synonyms{
    {"out", "output"},
    {"logsumexp", "log_sumexp", "softmax_logsumexp"},
    {"philox_seed", "rng_state"},
    {"philox_offset", "unused"},
};

std::vector<std::string> names_of(const std::string& name) {
  for (const auto& group : synonyms) {
    if (std::find(group.begin(), group.end(), name) != group.end()) return group;
  }
  return {name};
}

/// What forward and backward are told alike.
Arguments shared_arguments(const Operands& o) {
  return {
      {{"attn_mask", "attn_bias"},
       o.mask ? c10::IValue(*o.mask) : c10::IValue(),
       o.mask.has_value()},
      {{"is_causal"}, o.is_causal, o.is_causal},
      {{"scale"}, o.scale ? c10::IValue(*o.scale) : c10::IValue(), o.scale.has_value()},
      {{"dropout_p"}, 0.0},
  };
}

void add_tensors(Arguments& arguments, const at::Tensor& query, const at::Tensor& key,
                 const at::Tensor& value) {
  arguments.push_back({{"query"}, query, true});
  arguments.push_back({{"key"}, key, true});
  arguments.push_back({{"value"}, value, true});
}

Arguments forward_arguments(const Variant& variant, const Operands& o, const Forward& seen) {
  Arguments arguments = shared_arguments(o);
  add_tensors(arguments, seen.query, seen.key, seen.value);
  const bool flag = variant.gqa == Gqa::flag && o.grouped;
  arguments.push_back({{"enable_gqa"}, flag, flag});
  arguments.push_back({{"compute_log_sumexp"}, true});
  arguments.push_back({{"return_debug_mask"}, false});
  return arguments;
}

Arguments backward_arguments(const Operands& o, const Forward& forward) {
  Arguments arguments = shared_arguments(o);
  add_tensors(arguments, forward.query, forward.key, forward.value);
  arguments.push_back({{"grad_out", "grad_out_"}, o.grad_out, true});
  arguments.push_back({{"grad_input_mask"}, c10::List<bool>({true, true, true, false})});
  for (const Result& result : forward.results) {
    arguments.push_back({names_of(result.name), result.value});
  }
  return arguments;
}

/// The results of an op that was not called, to ask its backward about.
Results undefined_results(const c10::FunctionSchema& schema) {
  Results results;
  for (const c10::Argument& result : schema.returns()) {
    results.push_back({result.name(), at::Tensor()});
  }
  return results;
}

/// The LSE as (B,H,Sq). The memory-efficient op pads its query axis, cuDNN adds an axis of one.
at::Tensor logsumexp_of(const Results& results, const at::Tensor& query) {
  const std::vector<std::string> names = names_of("logsumexp");
  for (const Result& result : results) {
    if (std::find(names.begin(), names.end(), result.name) == names.end()) continue;
    at::Tensor lse = result.value.toTensor();
    if (lse.dim() == 4) lse = lse.squeeze(3);
    return lse.narrow(2, 0, query.size(2));
  }
  return {};
}

at::Tensor repeat_heads(const at::Tensor& tensor, const at::Tensor& query) {
  return tensor.repeat_interleave(query.size(1) / tensor.size(1), 1);
}

/// Sums (B,Hq,S,D) over the query heads of each KV head; fp32 inside, one rounding.
at::Tensor sum_groups(const at::Tensor& gradient, Index kv_heads) {
  const Index group = gradient.size(1) / kv_heads;
  return gradient.unflatten(1, {kv_heads, group}).sum(2);
}

}  // namespace

Attention::Attention(const Variant& variant, bool with_backward)
    : variant_(variant), with_backward_(with_backward), forward_(std::string(variant.forward)) {
  if (!variant.backward.empty()) backward_.emplace(std::string(variant.backward));
}

std::optional<std::string> Attention::why_not(const Operands& operands) const {
  if (auto reason = forward_.why_not(forward_arguments(variant_, operands, {}))) return reason;
  if (!with_backward_ || !backward_) return std::nullopt;
  Forward unknown;
  unknown.results = undefined_results(forward_.schema());
  return backward_->why_not(backward_arguments(operands, unknown));
}

Forward Attention::forward(const Operands& o) const {
  const at::AutoGradMode graph(with_backward_ && !backward_);
  Forward f;
  f.query = o.query;
  f.key = o.key;
  f.value = o.value;
  if (o.grouped && variant_.gqa == Gqa::repeat) {
    f.key = repeat_heads(o.key, o.query);
    f.value = repeat_heads(o.value, o.query);
  }
  f.results = forward_.call(forward_arguments(variant_, o, f));
  f.output = f.results.at(0).value.toTensor();
  if (variant_.gives_lse) f.logsumexp = logsumexp_of(f.results, o.query);
  return f;
}

Gradients Attention::backward(const Operands& o, const Forward& f, bool keep) const {
  if (!backward_) {
    const auto grads =
        torch::autograd::grad({f.output}, {o.query, o.key, o.value}, {o.grad_out}, keep);
    return {grads.at(0), grads.at(1), grads.at(2)};
  }
  const at::AutoGradMode graph(false);
  const Results results = backward_->call(backward_arguments(o, f));
  Gradients g{results.at(0).value.toTensor(), results.at(1).value.toTensor(),
              results.at(2).value.toTensor()};
  if (o.grouped && variant_.gqa == Gqa::repeat) {
    g.key = sum_groups(g.key, o.key.size(1));
    g.value = sum_groups(g.value, o.value.size(1));
  }
  return g;
}

}  // namespace fathom::sdpa
