// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/rounding.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace fathom::mutant {
namespace {

using Bits = std::uint32_t;

constexpr Bits sign_bit = 0x80000000U;
constexpr Bits infinity_bits = 0x7F800000U;
constexpr Bits quiet_bit = 0x00400000U;
constexpr Bits smallest_normal_half = 0x38800000U;  ///< 2^-14
constexpr Bits overflow_of_half = 0x47800000U;      ///< 2^16, the first number above fp16's range

/// `bits` with the last `drop` bits rounded away; a NaN stays one.
template <int drop, Rounding rounding>
Bits shortened(Bits bits) {
  constexpr Bits mask = ~((Bits{1} << drop) - 1);
  const Bits nan = (bits | quiet_bit) & mask;
  const Bits half =
      rounding == Rounding::rne ? ((bits >> drop) & 1) + (Bits{1} << (drop - 1)) - 1 : Bits{0};
  return (bits & ~sign_bit) > infinity_bits ? nan : (bits + half) & mask;
}

/// fp16 below its normal range is a fixed grid of 2^-24, the spacing of fp32 in [0.5, 1): adding
/// 0.5 rounds to it.
template <Rounding rounding>
Bits on_subnormal_grid(Bits magnitude) {
  const float x = std::bit_cast<float>(magnitude);
  const float rounded = (x + 0.5F) - 0.5F;
  if constexpr (rounding == Rounding::rtz) {
    constexpr float step = 0x1p-24F;
    return std::bit_cast<Bits>(rounded > x ? rounded - step : rounded);
  }
  return std::bit_cast<Bits>(rounded);
}

template <Rounding rounding>
Bits to_half_grid(Bits bits) {
  const Bits magnitude = bits & ~sign_bit;
  const Bits normal = shortened<13, rounding>(magnitude);
  constexpr Bits top = rounding == Rounding::rne ? infinity_bits : overflow_of_half - 0x2000U;
  const bool beyond = normal >= overflow_of_half && magnitude < infinity_bits;
  const Bits kept = beyond ? top : normal;
  const Bits small = on_subnormal_grid<rounding>(magnitude);
  return (bits & sign_bit) | (magnitude < smallest_normal_half ? small : kept);
}

template <typename Change>
void change_bits(float* numbers, Index count, Change change) {
  for (Index i = 0; i < count; ++i) {
    numbers[i] = std::bit_cast<float>(change(std::bit_cast<Bits>(numbers[i])));
  }
}

/// fp16 storage of a number that already lies on fp16's grid.
std::uint16_t half_bits(Bits bits) {
  const Bits magnitude = bits & ~sign_bit;
  const Bits normal = (magnitude - 0x38000000U) >> 13;  // Exponent bias 127 to 15.
  const auto steps = static_cast<Bits>(static_cast<int>(
      std::bit_cast<float>(magnitude < smallest_normal_half ? magnitude : 0U) * 0x1p24F));
  const Bits infinite = 0x7C00U | ((magnitude >> 13) & 0x3FFU);
  const Bits finite = magnitude < smallest_normal_half ? steps : normal;
  const Bits value = magnitude >= infinity_bits ? infinite : finite;
  return static_cast<std::uint16_t>(value | ((bits & sign_bit) >> 16));
}

float from_half_bits(std::uint16_t half) {
  const Bits shifted = (half & Bits{0x7FFF}) << 13;
  const Bits exponent = shifted & 0x0F800000U;
  const Bits normal = shifted + 0x38000000U;
  const Bits special = shifted + 0x70000000U;
  const Bits small =
      std::bit_cast<Bits>(std::bit_cast<float>(shifted + smallest_normal_half) - 0x1p-14F);
  const Bits finite = exponent == 0 ? small : normal;
  return std::bit_cast<float>((exponent == 0x0F800000U ? special : finite) |
                              ((half & Bits{0x8000}) << 16));
}

/// Calls `body` with each 16-bit number of storage and its index.
template <typename Body>
void for_each_16_bit(const std::byte* from, Index count, Body body) {
  for (Index i = 0; i < count; ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from + 2 * i, sizeof bits);
    body(bits, i);
  }
}

template <Rounding rounding>
void round_as(Dtype dtype, float* numbers, Index count) {
  if (dtype == Dtype::bf16) change_bits(numbers, count, shortened<16, rounding>);
  if (dtype == Dtype::f16) change_bits(numbers, count, to_half_grid<rounding>);
}

}  // namespace

void round_numbers(Dtype dtype, float* numbers, Index count, Rounding rounding) {
  if (rounding == Rounding::rtz) return round_as<Rounding::rtz>(dtype, numbers, count);
  round_as<Rounding::rne>(dtype, numbers, count);
}

void round_to_tf32(float* numbers, Index count) {
  change_bits(numbers, count, shortened<13, Rounding::rtz>);
}

void load_numbers(Dtype dtype, const std::byte* from, Index count, float* to) {
  if (dtype == Dtype::bf16) {
    for_each_16_bit(from, count, [to](std::uint16_t bits, Index i) {
      to[i] = std::bit_cast<float>(Bits{bits} << 16);
    });
  } else if (dtype == Dtype::f16) {
    for_each_16_bit(from, count,
                    [to](std::uint16_t bits, Index i) { to[i] = from_half_bits(bits); });
  } else if (count > 0) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  }
}

void store_numbers(Dtype dtype, float* numbers, Index count, std::byte* to, Rounding rounding) {
  round_numbers(dtype, numbers, count, rounding);
  if (!is_16_bit(dtype)) {
    if (count > 0) std::memcpy(to, numbers, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  for (Index i = 0; i < count; ++i) {
    const Bits bits = std::bit_cast<Bits>(numbers[i]);
    const auto stored =
        dtype == Dtype::bf16 ? static_cast<std::uint16_t>(bits >> 16) : half_bits(bits);
    std::memcpy(to + 2 * i, &stored, sizeof stored);
  }
}

}  // namespace fathom::mutant
