// SPDX-License-Identifier: Apache-2.0
#include "harness/worker/tests/naive_attention.h"

#include <cmath>
#include <limits>

namespace fathom::worker {
namespace {

/// Which document a token is in: the number of cuts at or before it.
Index document_of(const Document& document, Index token) {
  Index cut = 0;
  Index count = 0;
  for (const Index length : document.lengths) {
    cut += length;
    if (cut <= token) ++count;
  }
  return count;
}

bool sees(const MaskTerm& term, const Sequence& s, Index i, Index j) {
  const Index t = i + s.key_length - s.query_length;  // The query's token.
  if (const auto* causal = std::get_if<Causal>(&term)) {
    return causal->corner == Corner::top_left ? j <= i : j <= t;
  }
  if (const auto* window = std::get_if<Window>(&term)) {
    return (window->left == -1 || t - j <= window->left) &&
           (window->right == -1 || j - t <= window->right);
  }
  if (const auto* document = std::get_if<Document>(&term)) {
    return document_of(*document, j) == document_of(*document, t);
  }
  return t < s.prefix_length ? j < s.prefix_length : j <= t;
}

bool sees(const Mask& mask, const Sequence& s, Index i, Index j) {
  for (const MaskTerm& term : mask.terms) {
    if (!sees(term, s, i, j)) return false;
  }
  return true;
}

/// The definition, one (sequence, query head) at a time.
class Naive {
 public:
  explicit Naive(const Bench& bench) : p_(bench.problem) {
    for (const auto& [name, tensor] : bench.inputs) in_[name] = bench.values(name);
    for (const TensorSpec& spec : output_specs(p_)) {
      out_[spec.name].assign(static_cast<std::size_t>(element_count(spec)), 0.0);
    }
    out_[TensorName::lse];
  }

  Answer answer() {
    for (Index s = 0; s < static_cast<Index>(p_.sequences.size()); ++s) {
      for (Index h = 0; h < p_.query_heads; ++h) {
        for (Index i = 0; i < sequence(s).query_length; ++i) row(s, h, i);
      }
    }
    return out_;
  }

 private:
  const Sequence& sequence(Index s) const { return p_.sequences[static_cast<std::size_t>(s)]; }
  Index kv(Index head) const { return head / (p_.query_heads / p_.kv_heads); }
  /// The channels of one row.
  static double* row_in(Answer& tensors, const Problem& p, TensorName name, Index s, Index head,
                        Index row) {
    const HeadView view = head_view(p, name, s, head);
    return tensors.at(name).data() + view.offset + row * view.row_stride;
  }
  const double* in(TensorName name, Index s, Index head, Index row) {
    return row_in(in_, p_, name, s, head, row);
  }
  double* out(TensorName name, Index s, Index head, Index row) {
    return row_in(out_, p_, name, s, head, row);
  }

  static double dot(const double* a, const double* b, Index n) {
    double sum = 0;
    for (Index c = 0; c < n; ++c) sum += a[c] * b[c];
    return sum;
  }
  static void add(double factor, const double* x, double* to, Index n) {
    for (Index c = 0; c < n; ++c) to[c] += factor * x[c];
  }

  void row(Index s, Index h, Index i) {
    using enum TensorName;
    std::vector<double> weight;
    double sum = 0;
    for (Index j = 0; j < sequence(s).key_length; ++j) {
      const bool seen = sees(p_.mask, sequence(s), i, j);
      const double score = dot(in(q, s, h, i), in(k, s, kv(h), j), p_.head_dim);
      weight.push_back(seen ? std::exp(softmax_scale(p_) * score) : 0.0);
      sum += weight.back();
    }
    if (p_.lse != LseRequest::no) *out(lse, s, h, i) = std::log(sum);
    if (sum == 0) return;
    for (std::size_t j = 0; j < weight.size(); ++j) {
      weight[j] /= sum;
      add(weight[j], in(v, s, kv(h), static_cast<Index>(j)), out(o, s, h, i), p_.value_dim);
    }
    if (has_backward(p_)) gradients(s, h, i, weight);
  }

  void gradients(Index s, Index h, Index i, const std::vector<double>& weight) {
    using enum TensorName;
    double delta = p_.lse_cotangent ? -*in(dlse, s, h, i) : 0.0;
    std::vector<double> dp;
    for (std::size_t j = 0; j < weight.size(); ++j) {
      const auto key = static_cast<Index>(j);
      dp.push_back(dot(in(dout, s, h, i), in(v, s, kv(h), key), p_.value_dim));
      add(weight[j], in(dout, s, h, i), out(dv, s, kv(h), key), p_.value_dim);
      delta += weight[j] * dp[j];
    }
    for (std::size_t j = 0; j < weight.size(); ++j) {
      const auto key = static_cast<Index>(j);
      const double ds = softmax_scale(p_) * weight[j] * (dp[j] - delta);
      add(ds, in(k, s, kv(h), key), out(dq, s, h, i), p_.head_dim);
      add(ds, in(q, s, h, i), out(dk, s, kv(h), key), p_.head_dim);
    }
  }

  const Problem& p_;
  Answer in_;
  Answer out_;
};

}  // namespace

Answer naive_attention(const Bench& bench) {
  return Naive(bench).answer();
}

std::vector<std::string> every_mask_and_shape() {
  std::vector<std::string> all;
  for (const std::string mask :
       {"full", "causal(top_left)", "causal(bottom_right)", "window(3,0)", "window(-1,2)",
        "window(70,-1)", "window(0,0)", "causal(bottom_right)&window(17,-1)", "prefix_lm",
        "document(3,40,1,90)", "document(60,2)&causal(bottom_right)"}) {
    const std::string p = mask == "prefix_lm" ? "p9" : "";
    for (const std::string& shape :
         {"layout=bshd hq=4 hkv=2 d=16 dv=24 seqs=2*130x150" + p,
          "layout=bhsd hq=3 hkv=1 d=5 dv=3 seqs=2*70x33" + p,
          "layout=thd hq=2 hkv=2 d=16 dv=16 seqs=140" + p + ",0,5x0,0x7,1,3x300" + p}) {
      all.push_back("mask=" + mask + " " + shape);
    }
  }
  return all;
}

}  // namespace fathom::worker
