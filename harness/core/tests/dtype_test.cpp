// SPDX-License-Identifier: Apache-2.0
#include "harness/core/dtype.h"

#include "harness/core/types.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace fathom {
namespace {

constexpr std::array sixteen_bit{Dtype::f16, Dtype::bf16};

double decode_one(Dtype dtype, std::uint16_t code) {
  double value = 0;
  decode(dtype, std::as_bytes(std::span(&code, 1)), std::span(&value, 1));
  return value;
}

std::uint16_t encode_one(Dtype dtype, double value) {
  std::uint16_t code = 0;
  encode(dtype, std::span(&value, 1), std::as_writable_bytes(std::span(&code, 1)));
  return code;
}

/// The value of a 16-bit pattern, written from the definition of an IEEE-like format.
double value_of(Dtype dtype, std::uint16_t code) {
  const DtypeInfo& t = info(dtype);
  const int fraction_bits = t.precision - 1;
  const int fraction = code & ((1 << fraction_bits) - 1);
  const int exponent = (code & 0x7FFF) >> fraction_bits;
  const double sign = (code & 0x8000) != 0 ? -1 : 1;
  if (exponent == 2 * t.max_exponent + 1) return fraction == 0 ? sign * infinity : std::nan("");
  if (exponent == 0) return sign * std::ldexp(fraction, t.min_exponent - fraction_bits);
  return sign *
         std::ldexp((1 << fraction_bits) + fraction, exponent - t.max_exponent - fraction_bits);
}

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

TEST(DtypeTest, TheTableAgreesWithTheFormatsOfTheMachine) {
  EXPECT_EQ(info(Dtype::f64).precision, std::numeric_limits<double>::digits);
  EXPECT_EQ(info(Dtype::f64).min_exponent, std::numeric_limits<double>::min_exponent - 1);
  EXPECT_EQ(info(Dtype::f64).max_exponent, std::numeric_limits<double>::max_exponent - 1);
  EXPECT_EQ(info(Dtype::f32).precision, std::numeric_limits<float>::digits);
  EXPECT_EQ(info(Dtype::f32).min_exponent, std::numeric_limits<float>::min_exponent - 1);
  EXPECT_EQ(info(Dtype::f32).max_exponent, std::numeric_limits<float>::max_exponent - 1);
  for (const DtypeInfo& row : dtypes) {
    EXPECT_EQ(&info(row.dtype), &row);
    EXPECT_EQ(parse_dtype(row.name), row.dtype);
    EXPECT_EQ(unit_roundoff(row.dtype), std::exp2(-row.precision));
  }
  EXPECT_EQ(parse_dtype("float16"), std::nullopt);
}

TEST(DtypeTest, KnownPatternsHaveTheirValues) {
  EXPECT_EQ(decode_one(Dtype::f16, 0x3C00), 1.0);
  EXPECT_EQ(decode_one(Dtype::f16, 0x7BFF), 65504.0);
  EXPECT_EQ(decode_one(Dtype::f16, 0x0001), std::exp2(-24));
  EXPECT_EQ(decode_one(Dtype::bf16, 0x3F80), 1.0);
  EXPECT_EQ(decode_one(Dtype::bf16, 0xC049), -3.140625);
  EXPECT_EQ(encode_one(Dtype::f16, -2.0), 0xC000);
  EXPECT_EQ(encode_one(Dtype::bf16, 0.1), 0x3DCD);
}

TEST(DtypeTest, All65536PatternsDecodeByDefinitionAndEncodeBack) {
  for (const Dtype dtype : sixteen_bit) {
    for (unsigned pattern = 0; pattern <= 0xFFFF; ++pattern) {
      const auto code = static_cast<std::uint16_t>(pattern);
      const double value = decode_one(dtype, code);
      ASSERT_TRUE(same(value, value_of(dtype, code))) << to_string(dtype) << ' ' << pattern;
      const std::uint16_t back = encode_one(dtype, value);
      if (std::isnan(value)) {
        ASSERT_TRUE(std::isnan(decode_one(dtype, back))) << to_string(dtype) << ' ' << pattern;
        ASSERT_EQ(back & 0x8000, code & 0x8000);
      } else {
        ASSERT_EQ(back, code) << to_string(dtype) << ' ' << pattern;
      }
    }
  }
}

/// Between each pair of neighbours: both ends, the tie, and one double to each side of the tie.
TEST(DtypeTest, RoundingToSixteenBitTakesTheNearestNeighbourAndTiesToEven) {
  for (const Dtype dtype : sixteen_bit) {
    const auto inf_code = static_cast<std::uint16_t>((2 * info(dtype).max_exponent + 1)
                                                     << (info(dtype).precision - 1));
    for (std::uint16_t code = 0; code < inf_code; ++code) {
      const double low = value_of(dtype, code);
      const bool last = code + 1 == inf_code;
      // Beyond the largest number the grid goes on as if it had no end, then becomes infinity.
      const double high = last ? 2 * low - value_of(dtype, code - 1) : value_of(dtype, code + 1);
      const double stored_high = last ? infinity : high;
      const double tie = (low + high) / 2;
      const double even = code % 2 == 0 ? low : stored_high;
      for (const double sign : {1.0, -1.0}) {
        ASSERT_TRUE(same(round_to(dtype, sign * low), sign * low));
        ASSERT_TRUE(same(round_to(dtype, sign * tie), sign * even))
            << to_string(dtype) << ' ' << tie;
        ASSERT_TRUE(same(round_to(dtype, sign * std::nextafter(tie, 0)), sign * low)) << tie;
        ASSERT_TRUE(same(round_to(dtype, sign * std::nextafter(tie, infinity)), sign * stored_high))
            << tie;
      }
    }
  }
}

TEST(DtypeTest, EncodingIsRoundingForRandomDoublesOfEverySize) {
  std::mt19937_64 bits(1);
  for (const Dtype dtype : sixteen_bit) {
    for (int i = 0; i < 200000; ++i) {
      const auto x = std::bit_cast<double>(bits());
      if (std::isnan(x)) continue;
      const double near = std::ldexp(x, -std::ilogb(x) + static_cast<int>(bits() % 300) - 150);
      for (const double y : {x, near}) {
        const double rounded = value_of(dtype, encode_one(dtype, y));
        ASSERT_TRUE(same(rounded, round_to(dtype, y))) << y;
        if (std::isinf(rounded) || std::isinf(y)) continue;
        ASSERT_LE(std::abs(rounded - y), ulp(dtype, y) / 2) << y;
      }
    }
  }
}

TEST(DtypeTest, RoundingToF32IsTheMachinesOwn) {
  std::mt19937_64 bits(2);
  for (int i = 0; i < 200000; ++i) {
    const auto x = std::bit_cast<double>(bits());
    if (std::isnan(x)) continue;
    const double near = std::ldexp(x, -std::ilogb(x) + static_cast<int>(bits() % 400) - 200);
    ASSERT_TRUE(same(round_to(Dtype::f32, near), static_cast<double>(static_cast<float>(near))));
    ASSERT_TRUE(same(round_to(Dtype::f64, x), x));
  }
}

TEST(DtypeTest, OverflowIsInfinityAndSignsOfZeroStay) {
  EXPECT_EQ(round_to(Dtype::f16, 65519.999), 65504);
  EXPECT_EQ(round_to(Dtype::f16, 65520), infinity);
  EXPECT_EQ(round_to(Dtype::f16, -1e300), -infinity);
  EXPECT_EQ(round_to(Dtype::bf16, 3.4e38), infinity);
  EXPECT_EQ(round_to(Dtype::f32, 3.5e38), infinity);
  for (const DtypeInfo& row : dtypes) {
    EXPECT_TRUE(same(round_to(row.dtype, infinity), infinity));
    EXPECT_TRUE(same(round_to(row.dtype, -0.0), -0.0));
    EXPECT_TRUE(std::isnan(round_to(row.dtype, std::nan(""))));
    if (row.dtype == Dtype::f64) continue;
    EXPECT_TRUE(same(round_to(row.dtype, -1e-310), -0.0));
  }
}

TEST(DtypeTest, UlpIsTheSpacingAtPowersOfTwoAndInTheSubnormals) {
  for (const DtypeInfo& row : dtypes) {
    const double smallest = std::exp2(row.min_exponent - row.precision + 1);
    const double least_normal = std::exp2(row.min_exponent);
    EXPECT_EQ(ulp(row.dtype, 1), std::exp2(1 - row.precision));
    EXPECT_EQ(ulp(row.dtype, -2), std::exp2(2 - row.precision));
    EXPECT_EQ(ulp(row.dtype, std::nextafter(2, 0)), std::exp2(1 - row.precision));
    EXPECT_EQ(ulp(row.dtype, 0), smallest);
    EXPECT_EQ(ulp(row.dtype, smallest), smallest);
    EXPECT_EQ(ulp(row.dtype, least_normal), smallest);
    EXPECT_EQ(ulp(row.dtype, 2 * least_normal), 2 * smallest);
  }
}

TEST(DtypeTest, ManyElementsAreConvertedInPlaceOrder) {
  const std::vector<double> values{1, -2.5, 0, 1024, 0.1};
  for (const DtypeInfo& row : dtypes) {
    std::vector<std::byte> bytes(values.size() * static_cast<std::size_t>(row.size));
    std::vector<double> back(values.size());
    encode(row.dtype, values, bytes);
    decode(row.dtype, bytes, back);
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(back[i], round_to(row.dtype, values[i])) << row.name << ' ' << i;
    }
  }
  float stored = 0;
  std::vector<std::byte> bytes(8);
  encode(Dtype::f32, std::vector<double>{0, 0.1}, bytes);
  std::memcpy(&stored, bytes.data() + 4, 4);
  EXPECT_EQ(stored, 0.1F);
}

TEST(DtypeTest, StorageNeedsNoAlignment) {
  std::vector<std::byte> bytes(2 * 3 + 1);
  const std::vector<double> values{1, 2, 3};
  std::vector<double> back(3);
  const auto odd = std::span(bytes).subspan(1);
  encode(Dtype::bf16, values, odd);
  decode(Dtype::bf16, odd, back);
  EXPECT_EQ(back, values);
}

}  // namespace
}  // namespace fathom
