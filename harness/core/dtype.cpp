// SPDX-License-Identifier: Apache-2.0
#include "harness/core/dtype.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

namespace fathom {
namespace {

// f32 -> 16 bit goes through double -> 16 bit directly: rounding twice could break a tie wrongly.
std::uint16_t encode_16(Dtype dtype, double value) {
  const DtypeInfo& t = info(dtype);
  const int fraction_bits = t.precision - 1;
  const int bias = t.max_exponent;
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const auto inf_bits = static_cast<std::uint16_t>((2 * bias + 1) << fraction_bits);
  if (std::isnan(value)) {
    return static_cast<std::uint16_t>(sign | inf_bits | (1U << (fraction_bits - 1)));
  }
  const double rounded = std::abs(round_to(dtype, value));
  if (std::isinf(rounded)) return sign | inf_bits;
  if (rounded == 0) return sign;
  int exponent = std::ilogb(rounded);
  if (exponent < t.min_exponent) {  // Subnormal: an integer count of the smallest step.
    return static_cast<std::uint16_t>(
        sign | static_cast<int>(std::ldexp(rounded, fraction_bits - t.min_exponent)));
  }
  const auto significand = static_cast<int>(std::ldexp(rounded, fraction_bits - exponent));
  return static_cast<std::uint16_t>(sign | ((exponent + bias) << fraction_bits) |
                                    (significand - (1 << fraction_bits)));
}

double decode_16(Dtype dtype, std::uint16_t bits) {
  if (dtype == Dtype::bf16) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  const int exponent = (bits >> 10) & 0x1F;
  const int fraction = bits & 0x3FF;
  double magnitude = 0;
  if (exponent == 0x1F) {
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else {
    magnitude = std::ldexp(fraction + 1024, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

template <typename Stored>
Stored load(std::span<const std::byte> bytes, std::size_t i) {
  Stored value;
  std::memcpy(&value, bytes.data() + i * sizeof(Stored), sizeof(Stored));
  return value;
}

template <typename Stored>
void store(std::span<std::byte> bytes, std::size_t i, Stored value) {
  std::memcpy(bytes.data() + i * sizeof(Stored), &value, sizeof(Stored));
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
  if (dtype == Dtype::f64 || !std::isfinite(x)) return x;
  if (dtype == Dtype::f32) return static_cast<float>(x);
  const double step = ulp(dtype, x);
  const double rounded = std::nearbyint(x / step) * step;  // Division by a power of two is exact.
  const double largest =
      std::ldexp(2.0 - std::ldexp(1.0, 1 - info(dtype).precision), info(dtype).max_exponent);
  if (std::abs(rounded) <= largest) return rounded;
  return std::copysign(std::numeric_limits<double>::infinity(), x);
}

void decode(Dtype dtype, std::span<const std::byte> bytes, std::span<double> values) {
  assert(bytes.size() == values.size() * static_cast<std::size_t>(info(dtype).size));
  for (std::size_t i = 0; i < values.size(); ++i) {
    switch (dtype) {
      case Dtype::f64: values[i] = load<double>(bytes, i); break;
      case Dtype::f32: values[i] = load<float>(bytes, i); break;
      default: values[i] = decode_16(dtype, load<std::uint16_t>(bytes, i)); break;
    }
  }
}

void encode(Dtype dtype, std::span<const double> values, std::span<std::byte> bytes) {
  assert(bytes.size() == values.size() * static_cast<std::size_t>(info(dtype).size));
  for (std::size_t i = 0; i < values.size(); ++i) {
    switch (dtype) {
      case Dtype::f64: store<double>(bytes, i, values[i]); break;
      case Dtype::f32: store<float>(bytes, i, static_cast<float>(values[i])); break;
      default: store<std::uint16_t>(bytes, i, encode_16(dtype, values[i])); break;
    }
  }
}

}  // namespace fathom
