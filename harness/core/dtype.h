// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace fathom {

enum class Dtype : std::uint8_t { f64, f32, f16, bf16 };

/// One row of the dtype table: everything that rounding and Tolerance need to know.
struct DtypeInfo {
  Dtype dtype;
  std::string_view name;
  Index size;        ///< Bytes of one element.
  int precision;     ///< p: bits of the significand, the hidden one included.
  int min_exponent;  ///< emin: exponent of the smallest normal number.
  int max_exponent;  ///< emax: exponent of the largest finite number.
};

inline constexpr std::array dtypes{
    DtypeInfo{Dtype::f64, "f64", 8, 53, -1022, 1023},
    DtypeInfo{Dtype::f32, "f32", 4, 24, -126, 127},
    DtypeInfo{Dtype::f16, "f16", 2, 11, -14, 15},
    DtypeInfo{Dtype::bf16, "bf16", 2, 8, -126, 127},
};

constexpr const DtypeInfo& info(Dtype dtype) {
  return dtypes[static_cast<std::size_t>(dtype)];
}
constexpr std::string_view to_string(Dtype dtype) {
  return info(dtype).name;
}
constexpr bool is_16_bit(Dtype dtype) {
  return info(dtype).size == 2;
}
std::optional<Dtype> parse_dtype(std::string_view name);

/// Unit roundoff u = 2^-p: the largest relative error of one rounding to nearest.
double unit_roundoff(Dtype dtype);

/// Spacing of the dtype's numbers at x: 2^(max(floor(log2|x|), emin) - (p-1)). At 0 the smallest
/// subnormal.
double ulp(Dtype dtype, double x);

/// x rounded to the nearest number of the dtype, ties to even; overflow becomes infinity.
double round_to(Dtype dtype, double x);

/// Storage bytes (little endian) to values and back. Sizes must match; encoding rounds to nearest.
void decode(Dtype dtype, std::span<const std::byte> bytes, std::span<double> values);
void encode(Dtype dtype, std::span<const double> values, std::span<std::byte> bytes);

}  // namespace fathom
