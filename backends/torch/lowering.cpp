// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/lowering.h"

#include <algorithm>

namespace fathom::sdpa {
namespace {

/// The one causal term of the mask, if it is nothing else.
const Causal* lone_causal(const Mask& mask) {
  return mask.terms.size() == 1 ? std::get_if<Causal>(mask.terms.data()) : nullptr;
}

/// torch's flag hides key > query; with equal lengths both corners mean the same.
bool flag_can_say(const Mask& mask, const Sequence& sequence) {
  if (mask.terms.empty()) return true;
  const Causal* causal = lone_causal(mask);
  return causal != nullptr &&
         (causal->corner == Corner::top_left || sequence.query_length == sequence.key_length);
}

Call whole_batch(const Problem& problem) {
  const Sequence& sequence = problem.sequences.front();
  return {.count = static_cast<Index>(problem.sequences.size()),
          .query_length = sequence.query_length,
          .key_length = sequence.key_length};
}

std::vector<Call> one_per_sequence(const Problem& problem) {
  const bool packed = problem.layout == Layout::thd;
  const std::vector<Index> queries = cu_seqlens_q(problem);
  const std::vector<Index> keys = cu_seqlens_k(problem);
  std::vector<Call> calls;
  for (std::size_t i = 0; i < problem.sequences.size(); ++i) {
    calls.push_back({.first = static_cast<Index>(i),
                     .count = 1,
                     .query_begin = packed ? queries[i] : 0,
                     .query_length = problem.sequences[i].query_length,
                     .key_begin = packed ? keys[i] : 0,
                     .key_length = problem.sequences[i].key_length});
  }
  return calls;
}

}  // namespace

std::optional<Lowering> find_lowering(std::string_view name) {
  const auto* row = std::find_if(lowerings.begin(), lowerings.end(),
                                 [&](const Lowering& l) { return l.name == name; });
  return row == lowerings.end() ? std::nullopt : std::optional(*row);
}

std::optional<worker::Refusal> why_not_lowered(const Problem& problem, const Lowering& lowering) {
  if (!lowering.loop && problem.layout == Layout::thd && problem.sequences.size() > 1) {
    return worker::Refusal{"lowering",
                           "scaled_dot_product_attention takes no packed sequences in one call; "
                           "the lowerings loop and loop+dense_mask make one call each"};
  }
  const auto said = [&](const Sequence& s) { return flag_can_say(problem.mask, s); };
  if (!lowering.dense_mask &&
      !std::all_of(problem.sequences.begin(), problem.sequences.end(), said)) {
    return worker::Refusal{"lowering",
                           "is_causal, top-left, cannot say mask=" + to_string(problem.mask) +
                               " on these lengths; a dense_mask lowering can"};
  }
  return std::nullopt;
}

std::vector<Call> lower(const Problem& problem, const Lowering& lowering) {
  std::vector<Call> calls =
      lowering.loop ? one_per_sequence(problem) : std::vector{whole_batch(problem)};
  const bool is_causal = !lowering.dense_mask && lone_causal(problem.mask) != nullptr;
  for (Call& call : calls) call.is_causal = is_causal;
  return calls;
}

}  // namespace fathom::sdpa
