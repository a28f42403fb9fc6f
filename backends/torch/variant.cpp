// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/variant.h"

#include "harness/core/problem.h"

#include <algorithm>
#include <array>

namespace fathom::sdpa {
namespace {

constexpr std::array all_dtypes{Dtype::f64, Dtype::f32, Dtype::f16, Dtype::bf16};
constexpr std::array up_to_f32{Dtype::f32, Dtype::f16, Dtype::bf16};
constexpr std::array half_only{Dtype::f16, Dtype::bf16};

constexpr std::string_view math_op = "aten::_scaled_dot_product_attention_math";

constexpr std::array variants{
    Variant{"sdpa:math", false, math_op, "", all_dtypes, Gqa::flag, false, true},
    Variant{"sdpa:math", true, math_op, "", all_dtypes, Gqa::flag, false, true},
    Variant{"sdpa:flash", false, "aten::_scaled_dot_product_flash_attention_for_cpu",
            "aten::_scaled_dot_product_flash_attention_for_cpu_backward", all_dtypes, Gqa::repeat,
            true, false},
    Variant{"sdpa:flash", true, "aten::_scaled_dot_product_flash_attention",
            "aten::_scaled_dot_product_flash_attention_backward", half_only, Gqa::native, true,
            false},
    Variant{"sdpa:efficient", true, "aten::_scaled_dot_product_efficient_attention",
            "aten::_scaled_dot_product_efficient_attention_backward", up_to_f32, Gqa::repeat, true,
            true},
    Variant{"sdpa:cudnn", true, "aten::_scaled_dot_product_cudnn_attention",
            "aten::_scaled_dot_product_cudnn_attention_backward", half_only, Gqa::native, true,
            true},
};

/// Largest relative error of torch's `fexp_u20` (the cubic of Malossi et al., "Fast exponential
/// computation on SIMD architectures", 2015): from its coefficients, -1.065e-4 to +9.66e-5.
constexpr double fast_exp_error = 1.07e-4;

constexpr std::string_view flash_link =
    "https://github.com/pytorch/pytorch/blob/v2.13.0/aten/src/ATen/native/cpu/"
    "FlashAttentionKernel.cpp with fexp_u20 of "
    "https://github.com/pytorch/pytorch/blob/v2.13.0/aten/src/ATen/cpu/vec/vec512/vec512_float.h";
constexpr std::string_view math_link =
    "https://github.com/pytorch/pytorch/blob/v2.13.0/aten/src/ATen/native/transformers/"
    "attention.cpp";

Arithmetic cpu_flash_arithmetic(Dtype dtype, bool fast_exp) {
  Arithmetic arithmetic = flash_arithmetic(dtype);
  arithmetic.empty_row_lse = EmptyRowLse::zero;
  if (is_16_bit(dtype) && fast_exp) arithmetic.exp_rel = fast_exp_error;
  arithmetic.link = flash_link;
  return arithmetic;
}

/// Upcasts 16-bit tensors to fp32; autograd differentiates the softmax itself, so the sum of
/// dO * O never sees the rounded O.
Arithmetic math_arithmetic(Dtype dtype) {
  Arithmetic arithmetic = upcast_arithmetic(dtype);
  arithmetic.delta_src = DeltaSource::fp32;
  arithmetic.link = math_link;
  return arithmetic;
}

bool honours(const Variant& variant, std::string_view token) {
  if (token.starts_with("dtype.")) {
    return std::any_of(variant.dtypes.begin(), variant.dtypes.end(),
                       [&](Dtype dtype) { return token.substr(6) == to_string(dtype); });
  }
  if (token == "dlse") return false;  // No backward op of torch takes a cotangent of the LSE.
  if (token == "lse") return variant.gives_lse;
  if (token == "dv") return variant.any_value_dim;
  if (token == "deterministic") return !variant.on_gpu;
  return true;
}

/// Tokens that a lowering of this folder knows how to honour. One that core learns later is not
/// among them, and so is refused.
constexpr std::array known{
    "dtype.f64",
    "dtype.f32",
    "dtype.f16",
    "dtype.bf16",
    "layout.bshd",
    "layout.bhsd",
    "varlen",
    "mask.causal",
    "mask.causal.top_left",
    "mask.causal.bottom_right",
    "mask.window",
    "mask.prefix_lm",
    "mask.document",
    "gqa",
    "dv",
    "cross_lengths",
    "empty_sequence",
    "scale",
    "backward",
    "lse",
    "deterministic",
};

}  // namespace

std::vector<std::string_view> variant_names() {
  std::vector<std::string_view> names;
  for (const Variant& row : variants) {
    if (std::find(names.begin(), names.end(), row.name) == names.end()) names.push_back(row.name);
  }
  return names;
}

const Variant* find_variant(std::string_view name, bool on_gpu) {
  const auto* row = std::find_if(variants.begin(), variants.end(), [&](const Variant& v) {
    return v.name == name && v.on_gpu == on_gpu;
  });
  return row == variants.end() ? nullptr : row;
}

std::vector<std::string> features(const Variant& variant) {
  std::vector<std::string> tokens;
  for (const std::string_view token : known) {
    if (honours(variant, token)) tokens.emplace_back(token);
  }
  return tokens;
}

Arithmetic declared_arithmetic(const Variant& variant, Dtype dtype, bool fast_exp) {
  if (variant.forward == math_op) return math_arithmetic(dtype);
  return variant.on_gpu ? flash_arithmetic(dtype) : cpu_flash_arithmetic(dtype, fast_exp);
}

}  // namespace fathom::sdpa
