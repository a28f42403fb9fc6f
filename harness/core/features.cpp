// SPDX-License-Identifier: Apache-2.0
#include "harness/core/features.h"

#include <algorithm>
#include <array>

namespace fathom {
namespace {

bool any_sequence(const Problem& p, bool (*holds)(const Sequence&)) {
  return std::any_of(p.sequences.begin(), p.sequences.end(), holds);
}

bool has_causal(const Problem& p, Corner corner) {
  return std::any_of(p.mask.terms.begin(), p.mask.terms.end(), [&](const MaskTerm& term) {
    const auto* causal = std::get_if<Causal>(&term);
    return causal != nullptr && causal->corner == corner;
  });
}

const std::array tokens{
    FeatureToken{"dtype.f64", "fp64 tensors",
                 [](const Problem& p) { return p.dtype == Dtype::f64; }},
    FeatureToken{"dtype.f32", "fp32 tensors",
                 [](const Problem& p) { return p.dtype == Dtype::f32; }},
    FeatureToken{"dtype.f16", "fp16 tensors",
                 [](const Problem& p) { return p.dtype == Dtype::f16; }},
    FeatureToken{"dtype.bf16", "bf16 tensors",
                 [](const Problem& p) { return p.dtype == Dtype::bf16; }},
    FeatureToken{"layout.bshd", "dense (B,S,H,D)",
                 [](const Problem& p) { return p.layout == Layout::bshd; }},
    FeatureToken{"layout.bhsd", "dense (B,H,S,D)",
                 [](const Problem& p) { return p.layout == Layout::bhsd; }},
    FeatureToken{"varlen", "packed (T,H,D) with cu_seqlens",
                 [](const Problem& p) { return p.layout == Layout::thd; }},
    FeatureToken{"mask.causal", "causal mask",
                 [](const Problem& p) { return has<Causal>(p.mask); }},
    FeatureToken{
        "mask.causal.top_left", "causal from the top-left corner, query length != key length",
        [](const Problem& p) { return has_cross_lengths(p) && has_causal(p, Corner::top_left); }},
    FeatureToken{"mask.causal.bottom_right",
                 "causal from the bottom-right corner, query length != key length",
                 [](const Problem& p) {
                   return has_cross_lengths(p) && has_causal(p, Corner::bottom_right);
                 }},
    FeatureToken{"mask.window", "sliding window (left, right)",
                 [](const Problem& p) { return has<Window>(p.mask); }},
    FeatureToken{"mask.prefix_lm", "PrefixLM, a prefix length per sequence",
                 [](const Problem& p) { return has<PrefixLm>(p.mask); }},
    FeatureToken{"mask.document", "documents packed inside a sequence",
                 [](const Problem& p) { return has<Document>(p.mask); }},
    FeatureToken{"gqa", "fewer KV heads than query heads",
                 [](const Problem& p) { return p.kv_heads != p.query_heads; }},
    FeatureToken{"dv", "value head dim != head dim",
                 [](const Problem& p) { return p.value_dim != p.head_dim; }},
    FeatureToken{"cross_lengths", "query length != key length", has_cross_lengths},
    FeatureToken{"empty_sequence", "a sequence without queries or without keys",
                 [](const Problem& p) {
                   return any_sequence(p, [](const Sequence& s) {
                     return s.query_length == 0 || s.key_length == 0;
                   });
                 }},
    FeatureToken{"scale", "a softmax scale other than 1/sqrt(d)",
                 [](const Problem& p) { return p.softmax_scale.has_value(); }},
    FeatureToken{"backward", "gradients dQ, dK, dV", has_backward},
    FeatureToken{"lse", "the log-sum-exp must be returned",
                 [](const Problem& p) { return p.lse == LseRequest::required; }},
    FeatureToken{"dlse", "a cotangent of the log-sum-exp enters the gradients",
                 [](const Problem& p) { return p.lse_cotangent; }},
    FeatureToken{"deterministic", "bitwise equal runs",
                 [](const Problem& p) { return p.deterministic; }},
};

}  // namespace

std::span<const FeatureToken> all_feature_tokens() {
  return tokens;
}

std::vector<std::string> feature_tokens(const Problem& problem) {
  std::vector<std::string> names;
  for (const FeatureToken& token : tokens) {
    if (token.needed(problem)) names.emplace_back(token.name);
  }
  return names;
}

}  // namespace fathom
