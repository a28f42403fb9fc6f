// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_trial.h"

#include "backends/torch/fa3_plan.h"
#include "harness/core/error.h"

#include <algorithm>

namespace fathom::fa3 {
namespace {

Tensor make_zeros(const TensorSpec& spec) {
  return {spec, std::vector<std::byte>(static_cast<std::size_t>(byte_count(spec)))};
}

std::optional<worker::Refusal> ask(const Ops& ops, const sdpa::Device& device,
                                   const Problem& problem, const std::string& lowering) {
  TensorSet inputs;
  TensorSet outputs;
  worker::InputViews input_views;
  worker::OutputViews output_views;
  for (const TensorSpec& spec : input_specs(problem)) {
    const Tensor& tensor = inputs[spec.name] = make_zeros(spec);
    input_views[spec.name] = tensor.view();
  }
  for (const TensorSpec& spec : output_specs(problem)) {
    Tensor& tensor = outputs[spec.name] = make_zeros(spec);
    output_views[spec.name] = {spec, tensor.bytes};
  }
  try {
    make_plan(ops, device, problem, lowering, input_views, output_views)->execute();
  } catch (const Error& error) {
    return worker::Refusal{"library", error.what()};
  }
  return std::nullopt;
}

}  // namespace

Problem smallest_of_its_kind(const Problem& problem) {
  Problem small = problem;
  small.query_heads = problem.query_heads / problem.kv_heads;
  small.kv_heads = 1;
  Sequence longest{1, 1, 0};
  for (const Sequence& s : problem.sequences) {
    longest.query_length = std::max(longest.query_length, s.query_length);
    longest.key_length = std::max(longest.key_length, s.key_length);
    longest.prefix_length = std::max(longest.prefix_length, s.prefix_length);
  }
  small.sequences = {longest};
  return small;
}

std::optional<worker::Refusal> Trials::why_refused(const Ops& ops, const sdpa::Device& device,
                                                   const Problem& problem,
                                                   const std::string& lowering) {
  const Problem small = smallest_of_its_kind(problem);
  const std::string kind = lowering + " " + to_string(small);
  const auto known = asked_.find(kind);
  if (known != asked_.end()) return known->second;
  return asked_[kind] = ask(ops, device, small, lowering);
}

}  // namespace fathom::fa3
