// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/guards.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace fathom {
namespace {

std::vector<std::byte> painted_guard(std::size_t size) {
  std::vector<std::byte> guard(size);
  paint_guard(guard);
  return guard;
}

TEST(GuardsTest, AnUntouchedGuardIsIntact) {
  EXPECT_EQ(find_damage(painted_guard(guard_bytes)), -1);
  EXPECT_EQ(find_damage(painted_guard(0)), -1);
  EXPECT_EQ(find_damage(painted_guard(3 * guard_bytes + 17)), -1);
}

TEST(GuardsTest, OneFlippedBitIsFoundWhereverItIs) {
  auto guard = painted_guard(guard_bytes + 100);
  for (const std::size_t at : {std::size_t{0}, std::size_t{4095}, std::size_t{guard_bytes - 1},
                               std::size_t{guard_bytes}, guard.size() - 1}) {
    for (int bit = 0; bit < 8; ++bit) {
      guard[at] ^= std::byte(1 << bit);
      EXPECT_EQ(find_damage(guard), static_cast<Index>(at));
      guard[at] ^= std::byte(1 << bit);
    }
  }
}

TEST(GuardsTest, NoConstantFillPassesForTheGuard) {
  for (int value = 0; value < 256; ++value) {
    const std::vector<std::byte> fill(64, std::byte(value));
    EXPECT_GE(find_damage(fill), 0) << value;
  }
}

class PoisonTest : public testing::TestWithParam<Dtype> {};

TEST_P(PoisonTest, EveryPoisonedElementIsUnwrittenAndNaN) {
  const Dtype dtype = GetParam();
  std::vector<std::byte> bytes(static_cast<std::size_t>(5 * info(dtype).size));
  paint_poison(dtype, bytes);
  EXPECT_EQ(find_unwritten(dtype, bytes), (std::vector<Index>{0, 1, 2, 3, 4}));
  std::vector<double> values(5);
  decode(dtype, bytes, values);
  for (const double value : values) EXPECT_TRUE(std::isnan(value));
}

TEST_P(PoisonTest, AWrittenElementIsNotUnwrittenEvenIfItIsNaN) {
  const Dtype dtype = GetParam();
  const auto size = static_cast<std::size_t>(info(dtype).size);
  std::vector<std::byte> bytes(3 * size);
  paint_poison(dtype, bytes);
  const double nan = std::nan("");
  encode(dtype, {&nan, 1}, std::span(bytes).subspan(size, size));
  EXPECT_EQ(find_unwritten(dtype, bytes), (std::vector<Index>{0, 2}));
}

TEST_P(PoisonTest, OneChangedBitMeansWritten) {
  const Dtype dtype = GetParam();
  std::vector<std::byte> bytes(static_cast<std::size_t>(info(dtype).size));
  paint_poison(dtype, bytes);
  for (std::byte& byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      byte ^= std::byte(1 << bit);
      EXPECT_TRUE(find_unwritten(dtype, bytes).empty());
      byte ^= std::byte(1 << bit);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllDtypes, PoisonTest,
                         testing::Values(Dtype::f64, Dtype::f32, Dtype::f16, Dtype::bf16),
                         [](const auto& param) { return std::string(to_string(param.param)); });

template <typename Number>
void expect_arithmetic_quiets_poison(Dtype dtype) {
  std::vector<std::byte> bytes(sizeof(Number));
  paint_poison(dtype, bytes);
  volatile Number poison;
  std::memcpy(const_cast<Number*>(&poison), bytes.data(), sizeof(Number));
  const volatile Number results[]{poison + Number(1), poison * Number(0), poison - poison,
                                  Number(1) / poison};
  for (const volatile Number& result : results) {
    std::memcpy(bytes.data(), const_cast<const Number*>(&result), sizeof(Number));
    EXPECT_TRUE(find_unwritten(dtype, bytes).empty());
  }
}

TEST(PoisonArithmeticTest, NoOperationOnPoisonYieldsPoison) {
  expect_arithmetic_quiets_poison<float>(Dtype::f32);
  expect_arithmetic_quiets_poison<double>(Dtype::f64);
}

}  // namespace
}  // namespace fathom
