// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace fathom::hip::host {

// The 16-bit numbers, as bits in the low half of a word.

struct Bf16 {
  static constexpr bool is_half = false;
  static float widen(std::uint32_t bits) { return std::bit_cast<float>(bits << 16); }
  static std::uint32_t round(float number) {
    const auto bits = std::bit_cast<std::uint32_t>(number);
    if (number != number) [[unlikely]]
      return (bits >> 16) | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  }
};

struct Half {
  static constexpr bool is_half = true;
  static float widen(std::uint32_t bits) {
    // The exponents differ by 112; multiplying by 2^112 also makes subnormal numbers normal.
    const auto magnitude = std::bit_cast<float>((bits & 0x7fff) << 13) * 0x1p112F;
    const std::uint32_t infinite = (bits & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | infinite |
                                (bits & 0x8000) << 16);
  }
  static std::uint32_t round(float number) {
    const auto bits = std::bit_cast<std::uint32_t>(number);
    const std::uint32_t sign = bits >> 16 & 0x8000;
    const std::uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) [[unlikely]]
      return sign | 0x7e00;
    if (magnitude >= 0x477ff000) return sign | 0x7c00;  // 65520 and more round to infinity.
    if (magnitude < 0x38800000) {
      // Subnormal: adding 0.5 puts the last bit of the result at the last bit of the sum.
      const float sum = std::bit_cast<float>(magnitude) + 0.5F;
      return sign | (std::bit_cast<std::uint32_t>(sum) - 0x3f000000);
    }
    return sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13);
  }
};

/// 2^x to about one step of fp32; numbers below the normal ones become 0, as on GPUs.
inline float exp2(float x) {
  if (x != x) [[unlikely]]
    return x;
  const float bounded = x < -127 ? -127.0F : x > 128 ? 128.0F : x;
  // Adding 1.5 * 2^23 rounds to a whole number; 2^f by the series of e^(f ln 2), |f| <= 1/2.
  const float shifted = bounded + 12582912.0F;
  const float f = bounded - (shifted - 12582912.0F);
  float sum = 1.5252733804e-5F;
  sum = std::fma(sum, f, 1.5403530394e-4F);
  sum = std::fma(sum, f, 1.3333558146e-3F);
  sum = std::fma(sum, f, 9.6181291076e-3F);
  sum = std::fma(sum, f, 5.5504108665e-2F);
  sum = std::fma(sum, f, 2.4022650696e-1F);
  sum = std::fma(sum, f, 6.9314718056e-1F);
  sum = std::fma(sum, f, 1.0F);
  const auto exponent = std::bit_cast<std::int32_t>(shifted) - 0x4b400000;
  if (exponent < -126 || x < -126) return 0;
  // In two factors: 2^128 alone is infinite.
  const auto half = static_cast<std::uint32_t>(exponent / 2 + 127) << 23;
  const auto rest = static_cast<std::uint32_t>(exponent - exponent / 2 + 127) << 23;
  return sum * std::bit_cast<float>(half) * std::bit_cast<float>(rest);
}

}  // namespace fathom::hip::host
