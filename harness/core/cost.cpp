// SPDX-License-Identifier: Apache-2.0
#include "harness/core/cost.h"

#include "harness/core/tensor.h"
#include "harness/core/visible.h"

namespace fathom {

Index visible_pairs(const Problem& problem) {
  Index pairs = 0;
  for (const Sequence& sequence : problem.sequences) {
    for (Index query = 0; query < sequence.query_length; ++query) {
      pairs += visible_keys(problem.mask, sequence, query).size();
    }
  }
  return pairs;
}

Index empty_rows(const Problem& problem) {
  Index rows = 0;
  for (const Sequence& sequence : problem.sequences) {
    for (Index query = 0; query < sequence.query_length; ++query) {
      if (visible_keys(problem.mask, sequence, query).size() == 0) ++rows;
    }
  }
  return rows;
}

Cost cost_of(const Problem& problem) {
  Cost cost;
  cost.visible_pairs = visible_pairs(problem);
  const auto pairs = static_cast<double>(cost.visible_pairs);
  const auto heads = static_cast<double>(problem.query_heads);
  const auto d = static_cast<double>(problem.head_dim);
  const auto dv = static_cast<double>(problem.value_dim);
  cost.flops_forward = 2 * pairs * (d + dv) * heads;

  Problem whole = problem;  // LSE counts as traffic whether it is asked for or not.
  whole.lse = LseRequest::required;
  whole.direction = Direction::fwd_bwd;
  for (const TensorSpec& spec : input_specs(whole)) {
    const auto bytes = static_cast<double>(byte_count(spec));
    const bool cotangent = spec.name == TensorName::dout || spec.name == TensorName::dlse;
    if (!cotangent) cost.bytes_forward += bytes;
    cost.bytes_backward += bytes;
  }
  for (const TensorSpec& spec : output_specs(whole)) {
    const auto bytes = static_cast<double>(byte_count(spec));
    if (spec.name == TensorName::o || spec.name == TensorName::lse) cost.bytes_forward += bytes;
    cost.bytes_backward += bytes;
  }
  if (!has_backward(problem)) {
    cost.bytes_backward = 0;
    return cost;
  }
  cost.flops_backward = 2 * pairs * (3 * d + 2 * dv) * heads;
  return cost;
}

}  // namespace fathom
