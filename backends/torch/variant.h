// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/dtype.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sdpa {

/// How fewer KV heads than query heads are said to an op.
enum class Gqa : std::uint8_t {
  flag,    ///< enable_gqa.
  native,  ///< Just so: the kernel divides the heads.
  repeat,  ///< Not at all: K and V are repeated before the call, and their gradients summed.
};

/// One implementation of scaled_dot_product_attention inside torch, on one kind of device.
struct Variant {
  std::string_view name;
  bool on_gpu;
  std::string_view forward;   ///< Op.
  std::string_view backward;  ///< Op; empty: autograd.
  std::span<const Dtype> dtypes;
  Gqa gqa;
  bool gives_lse;
  bool any_value_dim;  ///< dv may differ from d.
};

/// The names of all variants, on whatever device: sdpa:math, sdpa:flash, ...
std::vector<std::string_view> variant_names();

/// The row for this device; empty where torch has no such kernel for it.
const Variant* find_variant(std::string_view name, bool on_gpu);

/// The feature tokens that the variant honours under some lowering.
std::vector<std::string> features(const Variant& variant);

/// How the variant says it computes. `fast_exp`: torch's vectorised CPU kernels are in use, whose
/// 16-bit flash attention takes exp from a cubic.
Arithmetic declared_arithmetic(const Variant& variant, Dtype dtype, bool fast_exp);

}  // namespace fathom::sdpa
