// SPDX-License-Identifier: Apache-2.0
#include "harness/peers/rules.h"

#include "harness/peers/distance.h"

#include <algorithm>
#include <array>
#include <cmath>

// Where a project's test does not say what to do with a dtype or a tensor that we have, the comment
// says "our choice".

namespace fathom {
namespace {

constexpr bool is_gradient(TensorName name) {
  return name == TensorName::dq || name == TensorName::dk || name == TensorName::dv;
}

/// One number for each tensor of a training step.
struct Factors {
  double o;
  double dq;
  double dk;
  double dv;
};
double pick(const Factors& factors, TensorName name) {
  switch (name) {
    case TensorName::dq: return factors.dq;
    case TensorName::dk: return factors.dk;
    case TensorName::dv: return factors.dv;
    default: return factors.o;
  }
}

/// One number for each dtype that projects test.
struct ByDtype {
  double f16;
  double bf16;
  double f32;
};
double pick(const ByDtype& numbers, Dtype dtype) {
  if (dtype == Dtype::f16) return numbers.f16;
  return dtype == Dtype::bf16 ? numbers.bf16 : numbers.f32;
}

/// The relative tolerances of torch.testing.assert_close.
constexpr ByDtype torch_relative{1e-3, 1.6e-2, 1.3e-6};

constexpr bool tested(Dtype dtype) {
  return dtype != Dtype::f64;  // No project tests attention in fp64.
}
bool forward(Dtype dtype, TensorName name) {
  return tested(dtype) && name == TensorName::o;
}
bool training(Dtype dtype, TensorName name) {
  return tested(dtype) && (name == TensorName::o || is_gradient(name));
}
bool training_and_stats(Dtype dtype, TensorName name) {
  return training(dtype, name) || (tested(dtype) && name == TensorName::lse);
}

PeerScore close_to(const PeerTensor& t, const std::vector<double>& reference, Closeness limit) {
  return {worst_closeness(t.got, reference, limit), 1};
}

/// Queries and keys of unequal number under a causal mask or a window: tests of their own in FA2
/// (test_flash_attn_causal, test_flash_attn_varlen_causal), which compare gradients with 2x, not
/// 3x.
bool is_causal_with_offset(const Problem& problem) {
  const bool one_sided = has<Causal>(problem.mask) || has<Window>(problem.mask);
  return one_sided && has_cross_lengths(problem);
}

PeerScore fa2(const PeerTensor& t) {
  double factor = is_gradient(t.name) ? 3 : 2;
  double constant = 0;
  if (is_causal_with_offset(t.problem)) {
    const bool packed_gradient = t.problem.layout == Layout::thd && is_gradient(t.name);
    factor = 2;
    constant = packed_gradient ? 2e-4 : 1e-5;
  }
  return {max_distance(t.got, t.rounded),
          factor * max_distance(t.plain_scaled_k, t.rounded) + constant};
}

/// 2 max |(Rt + 0.3) - 0.3 - Rt| in the dtype: "numerical error if we just do any arithmetic".
double arithmetic_noise(const PeerTensor& t) {
  constexpr double shift = 0.3F;
  double most = 0;
  for (const double x : t.rounded) {
    const double back = round_to(t.dtype, round_to(t.dtype, x + shift) - shift);
    most = std::max(most, std::abs(round_to(t.dtype, back - x)));
  }
  return 2 * most;
}

PeerScore fa3(const PeerTensor& t) {
  return {max_distance(t.got, t.rounded),
          2 * max_distance(t.plain_scaled_k, t.rounded) + arithmetic_noise(t)};
}

/// The factors of CUDA builds; ROCm's are wider (dQ 855, dK 145).
PeerScore pytorch(const PeerTensor& t) {
  const double factor = pick(Factors{4, 180, 16, 4}, t.name);
  return {max_distance(t.got, t.want),
          std::max(1e-5, factor * max_distance(t.plain_scaled_both, t.want))};
}

/// get_tolerances of torch 2.2's test_transformers.py. A relative error that is infinite because R
/// is 0 yields a relative tolerance above 1e30, which is then the default's, without the factor.
PeerScore pytorch_old(const PeerTensor& t) {
  const double factor = pick(Factors{4, 160, 25, 8}, t.name);
  const double absolute = pick(ByDtype{1e-3, 1e-3, 1e-5}, t.dtype);
  const double relative = pick(torch_relative, t.dtype);
  const double plain_relative = max_relative_distance(t.plain_scaled_both, t.want, relative);
  Closeness limit{
      .absolute = factor * std::max(max_distance(t.plain_scaled_both, t.want), absolute),
      .relative = factor * std::max(plain_relative, relative)};
  if (limit.relative > 1e30) limit.relative = relative;
  return close_to(t, t.want, limit);
}

PeerScore assert_close(const PeerTensor& t) {
  return close_to(t, t.rounded, {1e-5, pick(torch_relative, t.dtype)});
}

/// fp32: 10; the test's factor has been between 10 and 40 in different versions.
PeerScore flex(const PeerTensor& t) {
  const double factor = t.problem.dtype == Dtype::f32 ? 10 : 1.1;
  return {mean_distance(t.got, t.want), factor * mean_distance(t.plain_scaled_both, t.want)};
}

/// get_elimit of fmha_fwd and fmha_bwd. The forward example compares LSE with the tolerance of O.
/// fp32: 1e-5 forward, and the gradients' common 1e-2, our choice.
PeerScore ck(const PeerTensor& t) {
  double tolerance = pick(ByDtype{1e-3, 1e-2, 1e-5}, t.problem.dtype);
  if (is_gradient(t.name)) {
    const bool wide = t.problem.head_dim > 128 && t.problem.value_dim > 128;
    tolerance = wide && t.problem.dtype == Dtype::bf16 ? 3.2e-2 : 1e-2;
  }
  return close_to(t, t.rounded, {tolerance, tolerance});
}

/// Transformer Engine compares two backends with each other: Rt stands for the other. fp32: our
/// choice.
PeerScore te(const PeerTensor& t) {
  const double tolerance = pick(ByDtype{1e-3, 1.5e-2, 1e-5}, t.dtype);
  return close_to(t, t.rounded, {tolerance, tolerance});
}

/// approx_equal of test_mhas.py. fp32 is not tested there and gets the tolerance of fp16, our
/// choice.
PeerScore cudnn_fe(const PeerTensor& t) {
  const bool key_side = t.name == TensorName::dk || t.name == TensorName::dv;
  const double absolute = key_side && t.dtype == Dtype::bf16 ? 7e-2 : 2e-2;
  return close_to(t, t.want, {absolute, 2e-2});
}

PeerScore ggml(const PeerTensor& t) {
  return {normalised_square_error(t.got, t.want), 5e-4};
}

Index longest_keys(const Problem& problem) {
  Index longest = 0;
  for (const Sequence& s : problem.sequences) longest = std::max(longest, s.key_length);
  return longest;
}

/// setup_cmp of benchdnn's sdpa driver: an element passes by its relative threshold or by the
/// floor. n is the longest key sequence of the batch, our choice (benchdnn has equal lengths only).
PeerScore benchdnn(const PeerTensor& t) {
  const double epsilon = 2 * unit_roundoff(t.dtype);
  const auto terms = static_cast<double>(1 + longest_keys(t.problem));
  const double threshold = (is_gradient(t.name) ? 32 : 8) * terms * epsilon;
  double worst = 0;
  for (std::size_t i = 0; i < t.got.size(); ++i) {
    const double size = std::abs(t.want[i]);
    const double distance = t.got[i] == t.want[i] ? 0 : std::abs(t.got[i] - t.want[i]);
    const double floor = is_gradient(t.name) ? 5e-2 : epsilon * t.magnitude[i];
    const double share = std::min(peer_share(size > 1e-5 ? distance / size : distance, threshold),
                                  peer_share(distance, floor));
    if (std::isnan(share)) return {share, 1};
    worst = std::max(worst, share);
  }
  return {worst, 1};
}

/// An element is wrong only if both its absolute and its relative error are too large.
PeerScore flashinfer_bench(const PeerTensor& t) {
  constexpr double tolerance = 1e-2;
  double worst = 0;
  for (std::size_t i = 0; i < t.got.size(); ++i) {
    const double distance = t.got[i] == t.want[i] ? 0 : std::abs(t.got[i] - t.want[i]);
    const double relative = distance / (std::abs(t.want[i]) + 1e-8);
    const double share = std::min(distance, relative) / tolerance;
    if (std::isnan(share)) return {share, 1};
    worst = std::max(worst, share);
  }
  return {worst, 1};
}

/// Compares two backends with each other: Rt stands for the other.
PeerScore flashinfer_refcheck(const PeerTensor& t) {
  return close_to(t, t.rounded, {1e-2, 0.2});
}

/// Its baseline is aten attention in the Problem's dtype: plain attention stands for it.
PeerScore tritonbench(const PeerTensor& t) {
  return close_to(t, t.plain_scaled_k, {2e-2, 1e-2});
}

/// The floor of 0.01 holds for gradients too.
PeerScore aiter_mha(const PeerTensor& t) {
  const double factor = is_gradient(t.name) ? 10 : 2;
  return {max_distance(t.got, t.rounded),
          std::max(0.01, factor * max_distance(t.plain_scaled_k, t.rounded))};
}

/// checkAllclose accepts 5 % of wrong elements, NaN included, and only logs the rest (aiter#5030).
PeerScore aiter_allclose(const PeerTensor& t) {
  return {share_not_close(t.got, t.want, {1e-2, 1e-2}), 0.05};
}

/// Over the whole tensor. On gradients too, as users of the rule do (our choice).
PeerScore cosine(const PeerTensor& t) {
  return {cosine_deficit(t.got, t.want), 1e-3};
}

using enum Yardstick;
constexpr std::array rules{
    PeerRule{"fa2", "FlashAttention-2",
             "https://github.com/Dao-AILab/flash-attention/blob/main/tests/test_flash_attn.py",
             "max|x-Rt| <= 2 max|plain-Rt|; gradients 3; causal with offset 2 and 1e-5 or 2e-4",
             plain_scaled_k, Fill::normal, training, fa2},
    PeerRule{"fa3", "FlashAttention-3",
             "https://github.com/Dao-AILab/flash-attention/blob/main/hopper/test_flash_attn.py",
             "max|x-Rt| <= 2 max|plain-Rt| + 2 max|(Rt+0.3)-0.3-Rt|", plain_scaled_k, Fill::normal,
             training, fa3},
    PeerRule{"pytorch", "PyTorch",
             "https://github.com/pytorch/pytorch/blob/main/test/test_transformers.py",
             "max|x-R| <= max(1e-5, f max|plain-R|), f = 4 (O), 180, 16, 4 (dQ, dK, dV)",
             plain_scaled_both, Fill::uniform01, training, pytorch},
    PeerRule{"pytorch_old", "PyTorch 2.2",
             "https://github.com/pytorch/pytorch/blob/v2.2.0/test/test_transformers.py",
             "|x-R| <= A + B|R| from plain's own errors, times 4 (O), 160, 25, 8 (dQ, dK, dV)",
             plain_scaled_both, Fill::uniform01, training, pytorch_old},
    PeerRule{"assert_close", "torch.testing", "https://docs.pytorch.org/docs/stable/testing.html",
             "|x-Rt| <= 1e-5 + b|Rt|, b = 1e-3 (fp16), 1.6e-2 (bf16), 1.3e-6 (fp32)", none,
             Fill::normal, training, assert_close},
    PeerRule{"flex", "FlexAttention",
             "https://github.com/pytorch/pytorch/blob/main/test/inductor/test_flex_attention.py",
             "mean|x-R| <= 1.1 mean|plain-R|; fp32 10", plain_scaled_both, Fill::normal, training,
             flex},
    PeerRule{"ck", "Composable Kernel",
             "https://github.com/ROCm/composable_kernel/blob/develop/example/ck_tile/01_fmha/"
             "fmha_fwd_runner.hpp",
             "|x-Rt| <= t + t|Rt|, t = 1e-3 (fp16), 1e-2 (bf16); gradients 1e-2 or 3.2e-2; LSE too",
             none, Fill::uniform01, training_and_stats, ck},
    PeerRule{"te", "Transformer Engine",
             "https://github.com/NVIDIA/TransformerEngine/blob/main/tests/pytorch/attention/"
             "test_attention.py",
             "|x-Rt| <= t + t|Rt|, t = 1e-3 (fp16), 1.5e-2 (bf16)", none, Fill::normal, training,
             te},
    PeerRule{"cudnn_fe", "cuDNN frontend",
             "https://github.com/NVIDIA/cudnn-frontend/tree/main/test/python",
             "|x-R| <= a + 2e-2|R|, a = 2e-2; dK and dV in bf16 7e-2; LSE too", none, Fill::normal,
             training_and_stats, cudnn_fe},
    PeerRule{"ggml", "ggml",
             "https://github.com/ggml-org/llama.cpp/blob/master/tests/test-backend-ops.cpp",
             "sum (x-R)^2 <= 5e-4 sum R^2", none, Fill::uniform11, forward, ggml},
    PeerRule{"benchdnn", "oneDNN",
             "https://github.com/uxlfoundation/oneDNN/blob/main/tests/benchdnn/sdpa/sdpa.cpp",
             "relative error <= 8 (1+n) eps, or |x-R| <= eps sum p|v|; gradients 32 (1+n) eps or "
             "5e-2",
             magnitude, Fill::uniform11, training, benchdnn},
    PeerRule{"flashinfer_bench", "FlashInfer-Bench",
             "https://github.com/flashinfer-ai/flashinfer-bench/blob/main/flashinfer_bench/bench/"
             "evaluators/default.py",
             "no element with |x-R| > 1e-2 and |x-R| / (|R| + 1e-8) > 1e-2", none, Fill::normal,
             forward, flashinfer_bench},
    PeerRule{"flashinfer_refcheck", "FlashInfer",
             "https://github.com/flashinfer-ai/flashinfer/blob/main/benchmarks/routines/"
             "attention.py",
             "|x-Rt| <= 1e-2 + 0.2|Rt|", none, Fill::normal, forward, flashinfer_refcheck},
    PeerRule{"tritonbench", "TritonBench",
             "https://github.com/meta-pytorch/tritonbench/blob/main/tritonbench/operators/"
             "flash_attention/operator.py",
             "|x-plain| <= 2e-2 + 1e-2|plain|", plain_scaled_k, Fill::normal, forward, tritonbench},
    PeerRule{"aiter_mha", "AITER", "https://github.com/ROCm/aiter/blob/main/op_tests/test_mha.py",
             "max|x-Rt| <= max(2 max|plain-Rt|, 0.01); gradients 10", plain_scaled_k, Fill::normal,
             training, aiter_mha},
    PeerRule{"aiter_allclose", "AITER", "https://github.com/ROCm/aiter/issues/5030",
             "at most 5 % of elements outside 1e-2 + 1e-2|R|", none, Fill::normal, forward,
             aiter_allclose},
    PeerRule{"cosine", "FlashAttention-4 and others",
             "https://github.com/Dao-AILab/flash-attention/tree/main/tests/cute",
             "cosine of x and R > 0.999", none, Fill::normal, training, cosine},
};

}  // namespace

bool passes(PeerScore score) {
  return score.value <= score.limit;
}

std::span<const PeerRule> peer_rules() {
  return rules;
}

const PeerRule* find_peer_rule(std::string_view name) {
  const auto found = std::ranges::find(rules, name, &PeerRule::name);
  return found == rules.end() ? nullptr : &*found;
}

bool can_judge(const PeerRule& rule, const PeerTensor& tensor) {
  switch (rule.needs) {
    case plain_scaled_k: return !tensor.plain_scaled_k.empty();
    case plain_scaled_both: return !tensor.plain_scaled_both.empty();
    case magnitude: return tensor.name != TensorName::o || !tensor.magnitude.empty();
    case none: break;
  }
  return true;
}

}  // namespace fathom
