// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_lowering.h"

#include <algorithm>

namespace fathom::fa3 {
namespace {

/// The op's causal flag is bottom-right; with equal lengths both corners mean the same.
bool op_has_word_for(const MaskTerm& term, const Problem& problem) {
  if (const auto* causal = std::get_if<Causal>(&term)) {
    return causal->corner == Corner::bottom_right || !has_cross_lengths(problem);
  }
  return std::holds_alternative<Window>(term);
}

Index narrower(Index a, Index b) {
  return a < 0 || b < 0 ? std::max(a, b) : std::min(a, b);
}

void say_mask(const Mask& mask, Call& call) {
  for (const MaskTerm& term : mask.terms) {
    if (const auto* window = std::get_if<Window>(&term)) {
      call.window_left = narrower(call.window_left, window->left);
      call.window_right = narrower(call.window_right, window->right);
    } else {
      call.is_causal = true;
    }
  }
}

Index longest(const std::vector<Index>& lengths) {
  return lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
}

std::vector<Index> lengths_of(const Problem& problem, Index Sequence::*length) {
  std::vector<Index> lengths;
  for (const Sequence& sequence : problem.sequences) lengths.push_back(sequence.*length);
  return lengths;
}

Call whole_batch(const Problem& problem) {
  Call call;
  if (problem.layout == Layout::thd) {
    call.cu_seqlens_q = cu_seqlens_q(problem);
    call.cu_seqlens_k = cu_seqlens_k(problem);
  }
  call.max_seqlen_q = longest(lengths_of(problem, &Sequence::query_length));
  call.max_seqlen_k = longest(lengths_of(problem, &Sequence::key_length));
  say_mask(problem.mask, call);
  return call;
}

/// How many queries stand in the prefix: queries are the last tokens of their sequence.
Index prefix_queries(const Sequence& s) {
  if (s.prefix_length == 0) return 0;
  const Index before = s.key_length - s.query_length;
  return std::clamp<Index>(s.prefix_length - before, 0, s.query_length);
}

std::vector<Index> prefix_queries(const Problem& problem) {
  std::vector<Index> counts;
  for (const Sequence& s : problem.sequences) counts.push_back(prefix_queries(s));
  return counts;
}

Call prefix_pass(const Problem& problem) {
  Call call;
  call.cu_seqlens_q = cu_seqlens_q(problem);
  call.cu_seqlens_k = cu_seqlens_k(problem);
  call.seqused_q = prefix_queries(problem);
  call.seqused_k = lengths_of(problem, &Sequence::prefix_length);
  call.max_seqlen_q = longest(call.seqused_q);
  call.max_seqlen_k = longest(call.seqused_k);
  return call;
}

/// Bottom-right alignment lets the first query behind the prefix see the prefix and itself.
Call response_pass(const Problem& problem) {
  Call call;
  call.cu_seqlens_q = cu_seqlens_q(problem);
  call.cu_seqlens_k = cu_seqlens_k(problem);
  const std::vector<Index> skipped = prefix_queries(problem);
  for (std::size_t i = 0; i < skipped.size(); ++i) {
    call.cu_seqlens_q[i] += skipped[i];
    call.seqused_q.push_back(problem.sequences[i].query_length - skipped[i]);
  }
  call.max_seqlen_q = longest(call.seqused_q);
  call.max_seqlen_k = longest(lengths_of(problem, &Sequence::key_length));
  call.is_causal = true;
  return call;
}

worker::Refusal cannot(const std::string& sentence) {
  return {"lowering", sentence};
}

std::optional<worker::Refusal> why_not_two_pass(const Problem& problem) {
  if (problem.mask != Mask{{PrefixLm{}}}) {
    return cannot("two_pass answers mask=prefix_lm and no other");
  }
  if (problem.layout == Layout::bhsd && problem.sequences.size() > 1) {
    return cannot(
        "two_pass packs the sequences, and a batch with heads before rows cannot be seen "
        "as packed without a copy");
  }
  return std::nullopt;
}

}  // namespace

std::optional<worker::Refusal> why_not_lowered(const Problem& problem, std::string_view lowering) {
  if (lowering == two_pass) return why_not_two_pass(problem);
  if (lowering != native) return cannot("fa3 has no lowering '" + std::string(lowering) + "'");
  const bool said =
      std::all_of(problem.mask.terms.begin(), problem.mask.terms.end(),
                  [&](const MaskTerm& term) { return op_has_word_for(term, problem); });
  if (said) return std::nullopt;
  return cannot("a bottom-right causal flag and a window cannot say mask=" +
                to_string(problem.mask) + " on these lengths");
}

std::vector<Call> lower(const Problem& problem, std::string_view lowering) {
  if (lowering == native) return {whole_batch(problem)};
  std::vector<Call> calls{prefix_pass(problem), response_pass(problem)};
  // With max_seqlen_q = 0 and rows that belong to the other pass, FlashAttention-3's backward stops
  // with a CUTLASS error: https://github.com/sapientinc/HRM-Text/pull/9
  std::erase_if(calls, [](const Call& call) { return call.max_seqlen_q == 0; });
  return calls;
}

}  // namespace fathom::fa3
