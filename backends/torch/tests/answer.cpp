// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/tests/answer.h"

#include "backends/torch/dense_mask.h"
#include "backends/torch/sdpa_backend.h"
#include "backends/torch/tensors.h"
#include "harness/core/types.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace fathom::sdpa {
namespace {

Call one_sequence(const Problem& problem, std::size_t i) {
  const bool packed = problem.layout == Layout::thd;
  const Sequence& s = problem.sequences[i];
  return {.first = static_cast<Index>(i),
          .count = 1,
          .query_begin = packed ? cu_seqlens_q(problem)[i] : 0,
          .query_length = s.query_length,
          .key_begin = packed ? cu_seqlens_k(problem)[i] : 0,
          .key_length = s.key_length};
}

at::Tensor hidden_pairs(const Problem& problem, const Sequence& s) {
  at::Tensor hidden = at::zeros({s.query_length, s.key_length}, at::kBool);
  for (Index query = 0; query < s.query_length; ++query) {
    for (Index key = 0; key < s.key_length; ++key) {
      hidden[query][key].fill_(!attends(problem.mask, s, query, key));
    }
  }
  return hidden;
}

/// O and LSE of one sequence, (1,Hq,Sq,dv) and (1,Hq,Sq), from fp64 (1,H,S,D).
std::pair<at::Tensor, at::Tensor> definition(const Problem& problem, const Sequence& s,
                                             const at::Tensor& q, const at::Tensor& k,
                                             const at::Tensor& v) {
  const Index group = problem.query_heads / problem.kv_heads;
  const at::Tensor keys = k.repeat_interleave(group, 1);
  const at::Tensor values = v.repeat_interleave(group, 1);
  const at::Tensor hidden = hidden_pairs(problem, s);
  const at::Tensor empty = hidden.all(1, true);
  const at::Tensor scores = q.matmul(keys.transpose(2, 3)) * softmax_scale(problem);
  const at::Tensor masked = scores.masked_fill(hidden, -infinity);
  // A row without keys is zero; its scores are replaced first so that no NaN enters the gradient.
  const at::Tensor weights = masked.masked_fill(empty, 0).softmax(3).masked_fill(empty, 0);
  return {weights.matmul(values), masked.logsumexp({3})};
}

Named shaped_like_outputs(const Problem& problem) {
  Named tensors;
  for (const TensorSpec& spec : output_specs(problem)) {
    tensors[spec.name] = at::full(spec.shape, -infinity, at::kDouble);
  }
  return tensors;
}

void answer_sequence(const Problem& problem, std::size_t i, const Named& inputs, Named& outputs) {
  const Call call = one_sequence(problem, i);
  const auto leaf = [&](TensorName name, Rows rows) {
    return rows_of(inputs.at(name), problem.layout, call, rows)
        .to(at::kDouble)
        .detach()
        .requires_grad_(true);
  };
  const at::Tensor q = leaf(TensorName::q, Rows::queries);
  const at::Tensor k = leaf(TensorName::k, Rows::keys);
  const at::Tensor v = leaf(TensorName::v, Rows::keys);
  const auto [o, lse] = definition(problem, problem.sequences[i], q, k, v);
  const auto put = [&](TensorName name, const at::Tensor& value, Rows rows) {
    rows_of(outputs.at(name), problem.layout, call, rows).copy_(value.detach());
  };
  put(TensorName::o, o, Rows::queries);
  if (outputs.contains(TensorName::lse)) {
    lse_rows_of(outputs.at(TensorName::lse), problem.layout, call).copy_(lse.detach());
  }
  if (!has_backward(problem)) return;
  const at::Tensor dout =
      rows_of(inputs.at(TensorName::dout), problem.layout, call, Rows::queries).to(at::kDouble);
  const auto grads = torch::autograd::grad({o}, {q, k, v}, {dout});
  put(TensorName::dq, grads[0], Rows::queries);
  put(TensorName::dk, grads[1], Rows::keys);
  put(TensorName::dv, grads[2], Rows::keys);
}

}  // namespace

Named random_inputs(const Problem& problem, double query_factor) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(11);
  Named inputs;
  for (const TensorSpec& spec : input_specs(problem)) {
    const double factor = spec.name == TensorName::q ? query_factor : 1;
    inputs[spec.name] = (at::randn(spec.shape, generator, at::kDouble) * factor)
                            .to(scalar_type(spec.dtype))
                            .contiguous();
  }
  return inputs;
}

Named answer(worker::Backend& backend, const Problem& problem, const std::string& lowering,
             const Named& inputs) {
  const auto bytes = [](const at::Tensor& t) {
    return std::span(static_cast<std::byte*>(t.data_ptr()), t.nbytes());
  };
  worker::InputViews input_views;
  for (const TensorSpec& spec : input_specs(problem)) {
    input_views[spec.name] = {spec, bytes(inputs.at(spec.name))};
  }
  Named outputs;
  worker::OutputViews output_views;
  for (const TensorSpec& spec : output_specs(problem)) {
    outputs[spec.name] = at::full(spec.shape, NAN, scalar_type(spec.dtype));
    output_views[spec.name] = {spec, bytes(outputs.at(spec.name))};
  }
  const auto plan = backend.prepare(problem, lowering, input_views, output_views);
  plan->execute();
  for (const auto& [name, transport] : plan->transports()) {
    if (transport == Transport::not_given) outputs.erase(name);
  }
  return outputs;
}

Named plain_attention(const Problem& problem, const Named& inputs) {
  Named outputs = shaped_like_outputs(problem);
  for (std::size_t i = 0; i < problem.sequences.size(); ++i) {
    answer_sequence(problem, i, inputs, outputs);
  }
  return outputs;
}

std::unique_ptr<worker::Backend> cpu_backend(const std::string& name) {
  for (auto& backend : make_backends("cpu")) {
    if (backend->info().name == name) return std::move(backend);
  }
  throw std::runtime_error("no backend " + name);
}

}  // namespace fathom::sdpa
