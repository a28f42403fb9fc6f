// SPDX-License-Identifier: Apache-2.0
#include "harness/core/dtype.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

namespace fathom {
namespace {

// A 16-bit format of the table is a scaled-down double: the same layout with fewer exponent and
// fraction bits. Both directions are a few integer operations without branches, so that tensors of
// 10^8 elements cost seconds at most. There is no way through f32: rounding twice breaks ties.
template <Dtype dtype>
struct Bits {
  static constexpr DtypeInfo row = info(dtype);
  static constexpr int fraction_bits = row.precision - 1;
  static constexpr int dropped_bits = 52 - fraction_bits;  ///< Fraction bits that double has more.
  static constexpr std::uint64_t infinity = std::uint64_t(2 * row.max_exponent + 1)
                                            << fraction_bits;
  static constexpr std::uint64_t quiet_nan = infinity | (1U << (fraction_bits - 1));
  static constexpr std::uint64_t double_infinity = std::uint64_t{0x7FF} << 52;

  static double decode(std::uint16_t code) {
    const std::uint64_t sign = std::uint64_t(code & 0x8000U) << 48;
    const std::uint64_t magnitude = code & 0x7FFFU;
    const std::uint64_t rebias = std::uint64_t(1023 - row.max_exponent) << 52;
    const std::uint64_t special = double_infinity | (magnitude - infinity) << dropped_bits;
    const auto steps = static_cast<double>(static_cast<std::int32_t>(magnitude));
    const auto subnormal = std::bit_cast<std::uint64_t>(steps * smallest_subnormal());
    const std::uint64_t normal = (magnitude << dropped_bits) + rebias;
    const std::uint64_t bits = magnitude >= infinity               ? special
                               : magnitude < (1U << fraction_bits) ? subnormal
                                                                   : normal;
    return std::bit_cast<double>(bits | sign);
  }

  static std::uint16_t encode(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const std::uint64_t sign = bits >> 48 & 0x8000U;
    const std::uint64_t magnitude = bits & ~(std::uint64_t{1} << 63);
    const std::uint64_t lowest = 1023 + row.min_exponent;
    const std::uint64_t highest = 1023 + row.max_exponent;
    const std::uint64_t exponent = std::max(magnitude >> 52, lowest);
    // Adding 2^52 steps leaves the rounded count of steps (ties to even) in the fraction bits.
    const std::uint64_t anchor = (std::min(exponent, highest) + std::uint64_t{dropped_bits}) << 52;
    const double sum = std::bit_cast<double>(magnitude) + std::bit_cast<double>(anchor);
    const std::uint64_t steps = std::bit_cast<std::uint64_t>(sum) - anchor;
    const std::uint64_t rounded = ((exponent - lowest) << fraction_bits) + steps;
    const std::uint64_t finite = exponent > highest ? infinity : rounded;
    return static_cast<std::uint16_t>(sign | (magnitude > double_infinity ? quiet_nan : finite));
  }

 private:
  static constexpr double smallest_subnormal() {
    return std::bit_cast<double>(std::uint64_t(1023 + row.min_exponent - fraction_bits) << 52);
  }
};

template <typename Stored, typename Convert>
void load_all(std::span<const std::byte> bytes, std::span<double> values, Convert convert) {
  const std::byte* from = bytes.data();
  for (double& value : values) {
    Stored stored;
    std::memcpy(&stored, from, sizeof(Stored));
    value = convert(stored);
    from += sizeof(Stored);
  }
}

template <typename Stored, typename Convert>
void store_all(std::span<const double> values, std::span<std::byte> bytes, Convert convert) {
  std::byte* to = bytes.data();
  for (const double value : values) {
    const Stored stored = convert(value);
    std::memcpy(to, &stored, sizeof(Stored));
    to += sizeof(Stored);
  }
}

}  // namespace

std::optional<Dtype> parse_dtype(std::string_view name) {
  for (const DtypeInfo& row : dtypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

double unit_roundoff(Dtype dtype) {
  return std::ldexp(1.0, -info(dtype).precision);
}

double ulp(Dtype dtype, double x) {
  const DtypeInfo& t = info(dtype);
  const int exponent =
      x == 0 || !std::isfinite(x) ? t.min_exponent : std::max(std::ilogb(x), t.min_exponent);
  return std::ldexp(1.0, exponent - (t.precision - 1));
}

double round_to(Dtype dtype, double x) {
  switch (dtype) {
    case Dtype::f64: return x;
    case Dtype::f32: return static_cast<float>(x);
    case Dtype::f16: return Bits<Dtype::f16>::decode(Bits<Dtype::f16>::encode(x));
    case Dtype::bf16: return Bits<Dtype::bf16>::decode(Bits<Dtype::bf16>::encode(x));
  }
  return x;
}

void decode(Dtype dtype, std::span<const std::byte> bytes, std::span<double> values) {
  assert(bytes.size() == values.size() * static_cast<std::size_t>(info(dtype).size));
  switch (dtype) {
    case Dtype::f64: load_all<double>(bytes, values, [](double x) { return x; }); break;
    case Dtype::f32: load_all<float>(bytes, values, [](float x) { return double{x}; }); break;
    case Dtype::f16: load_all<std::uint16_t>(bytes, values, Bits<Dtype::f16>::decode); break;
    case Dtype::bf16: load_all<std::uint16_t>(bytes, values, Bits<Dtype::bf16>::decode); break;
  }
}

void encode(Dtype dtype, std::span<const double> values, std::span<std::byte> bytes) {
  assert(bytes.size() == values.size() * static_cast<std::size_t>(info(dtype).size));
  switch (dtype) {
    case Dtype::f64: store_all<double>(values, bytes, [](double x) { return x; }); break;
    case Dtype::f32:
      store_all<float>(values, bytes, [](double x) { return static_cast<float>(x); });
      break;
    case Dtype::f16: store_all<std::uint16_t>(values, bytes, Bits<Dtype::f16>::encode); break;
    case Dtype::bf16: store_all<std::uint16_t>(values, bytes, Bits<Dtype::bf16>::encode); break;
  }
}

}  // namespace fathom
