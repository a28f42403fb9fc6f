// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/rounding.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

namespace fathom::mutant {
namespace {

/// Numbers of every exponent, of both signs, and the corner cases of both 16-bit dtypes.
std::vector<float> many_numbers() {
  std::vector<float> numbers{0.0F,      -0.0F,    65504.0F, 65519.9F, 65520.0F,
                             -65520.0F, 1e30F,    0x1p-14F, 0x1p-24F, 0x1p-25F,
                             0x3p-25F,  0x1p-26F, INFINITY, -INFINITY};
  std::mt19937 bits(7);
  for (int i = 0; i < 200000; ++i) {
    const auto number = std::bit_cast<float>(static_cast<std::uint32_t>(bits()));
    if (!std::isnan(number)) numbers.push_back(number);
    numbers.push_back(std::ldexp(1.0F + 0x1p-10F * static_cast<float>(i % 2048) * 0.5F,
                                 i / 2048 % 48 - 30));  // Ties of fp16.
  }
  return numbers;
}

TEST(MutantRoundingTest, RoundsToNearestAsTheCoreDoes) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    const std::vector<float> numbers = many_numbers();
    std::vector<float> rounded = numbers;
    round_numbers(dtype, rounded.data(), static_cast<Index>(rounded.size()));
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      ASSERT_EQ(rounded[i], round_to(dtype, numbers[i])) << to_string(dtype) << ' ' << numbers[i];
    }
  }
}

TEST(MutantRoundingTest, CutsTowardsZeroByLessThanOneStep) {
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    for (float number : many_numbers()) {
      const float before = number;
      round_numbers(dtype, &number, 1, Rounding::rtz);
      if (std::isinf(before) || std::abs(before) >= 65536.0F || std::abs(before) < 1e-37F) continue;
      ASSERT_EQ(number, round_to(dtype, number)) << before;
      ASSERT_LE(std::abs(number), std::abs(before));
      ASSERT_LT(std::abs(before) - std::abs(number), ulp(dtype, before)) << before;
    }
  }
}

TEST(MutantRoundingTest, KeepsNotANumber) {
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    std::array<float, 3> numbers{NAN, -NAN, std::bit_cast<float>(0x7F800001U)};
    round_numbers(dtype, numbers.data(), 3);
    for (const float number : numbers) EXPECT_TRUE(std::isnan(number));
    std::array<std::byte, 6> stored{};
    store_numbers(dtype, numbers.data(), 3, stored.data(), Rounding::rne);
    load_numbers(dtype, stored.data(), 3, numbers.data());
    for (const float number : numbers) EXPECT_TRUE(std::isnan(number));
  }
}

TEST(MutantRoundingTest, StoresAndLoadsEvery16BitNumber) {
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    for (std::uint32_t i = 0; i < 65536; ++i) {
      const std::array bytes{static_cast<std::byte>(i & 0xFF), static_cast<std::byte>(i >> 8)};
      double want = 0;
      decode(dtype, bytes, {&want, 1});
      float got = 0;
      load_numbers(dtype, bytes.data(), 1, &got);
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got));
        continue;
      }
      ASSERT_EQ(got, want) << i;
      std::array<std::byte, 2> again{};
      store_numbers(dtype, &got, 1, again.data(), Rounding::rne);
      ASSERT_EQ(again, bytes) << to_string(dtype) << ' ' << i;
    }
  }
}

TEST(MutantRoundingTest, Tf32KeepsTenBits) {
  std::array numbers{1.0F + 0x1p-10F, 1.0F + 0x1p-11F, -1.0F - 0x3p-11F, 0.0F};
  round_to_tf32(numbers.data(), 4);
  EXPECT_EQ(numbers, (std::array{1.0F + 0x1p-10F, 1.0F, -1.0F - 0x1p-10F, 0.0F}));
}

}  // namespace
}  // namespace fathom::mutant
