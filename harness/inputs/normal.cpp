// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/normal.h"

#include "harness/inputs/philox.h"

#include <algorithm>
#include <array>
#include <bit>

// Compiled without contraction to FMA: it would change bits from machine to machine.

namespace fathom {
namespace {

constexpr double two_to_52 = 4503599627370496.0;
constexpr std::uint64_t two_to_52_bits = 0x4330000000000000U;
constexpr std::uint64_t fraction_bits = 0x000FFFFFFFFFFFFFU;
constexpr std::uint64_t one_bits = 0x3FF0000000000000U;

/// An integer below 2^52 as double; unlike a cast it vectorises on every x86-64.
inline double to_double(std::uint64_t integer) {
  return std::bit_cast<double>(two_to_52_bits | integer) - two_to_52;
}

/// -ln y for normal 0 < y <= 1, absolute error below 1e-9. With y = m 2^-k, 1 <= m < 2, and
/// s = (m - sqrt 2) / (m + sqrt 2): ln m = ln(2) / 2 + 2 artanh s, |s| < 0.172.
inline double minus_log(double y) {
  const auto bits = std::bit_cast<std::uint64_t>(y);
  const double k = 1023.0 - to_double(bits >> 52);
  const double m = std::bit_cast<double>((bits & fraction_bits) | one_bits);
  const double s = (m - 1.4142135623730951) / (m + 1.4142135623730951);
  const double t = s * s;
  double artanh = 1.0 / 9.0;
  artanh = artanh * t + 1.0 / 7.0;
  artanh = artanh * t + 1.0 / 5.0;
  artanh = artanh * t + 1.0 / 3.0;
  artanh = artanh * t + 1.0;
  return (k - 0.5) * 0.6931471805599453 - 2.0 * s * artanh;
}

/// quantile(1 - p) / (1 - 2 p) of the normal distribution as a rational function of
/// w = -ln(4 p (1 - p)), a variable in which erfinv is smooth up to its tail (Giles, GPU Computing
/// Gems 2011). Coefficients fitted for 0 <= w <= 21.6; relative error below 1.2e-7.
inline double quantile_slope(double w) {
  double p = 2.9210684626312773e-05;
  p = p * w + 0.0010021028072526416;
  p = p * w + 0.011899490844230015;
  p = p * w + 0.089973406862282916;
  p = p * w + 0.45285507270483964;
  p = p * w + 1.2533142788781302;
  double q = 1.0038569495153137e-06;
  q = q * w + 0.00016972033920940365;
  q = q * w + 0.0022902316490331671;
  q = q * w + 0.03268856930562222;
  q = q * w + 0.099529510637596411;
  q = q * w + 1.0;
  return p / q;
}

/// 31 bits choose the magnitude by the inverse distribution, the top bit is the sign.
inline double normal_of(std::uint32_t word) {
  const std::uint64_t wide = word;
  const double two_p = to_double(2 * (wide & 0x7FFFFFFFU) + 1) * 0x1p-32;  // Exact, in (0, 1).
  const double x = (1.0 - two_p) * quantile_slope(minus_log(two_p * (2.0 - two_p)));
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) | ((wide >> 31) << 63));
}

inline double uniform_of(std::uint32_t word) {
  return to_double(2 * static_cast<std::uint64_t>(word) + 1) * 0x1p-33;
}

template <typename Transform>
void transform_words(std::uint64_t key, std::uint64_t first, std::span<double> values,
                     Transform transform) {
  std::array<std::uint32_t, 512> words;
  for (std::size_t done = 0; done < values.size(); done += words.size()) {
    const std::size_t count = std::min(words.size(), values.size() - done);
    philox_words(key, first + done, std::span(words).first(count));
    double* out = values.data() + done;
    for (std::size_t i = 0; i < count; ++i) out[i] = transform(words[i]);
  }
}

}  // namespace

void fill_normal(std::uint64_t key, std::uint64_t first, std::span<double> values) {
  transform_words(key, first, values, [](std::uint32_t word) { return normal_of(word); });
}

void fill_uniform(std::uint64_t key, std::uint64_t first, std::span<double> values) {
  transform_words(key, first, values, [](std::uint32_t word) { return uniform_of(word); });
}

}  // namespace fathom
