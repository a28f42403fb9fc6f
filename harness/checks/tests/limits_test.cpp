// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/limits.h"

#include "harness/checks/chi_square.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fathom {
namespace {

Score score_of(Index rows, Index channels, Index averaging_rows) {
  Score score;
  score.all = {.rows = rows, .elements = rows * channels, .rr = 1e30};
  score.averaging = {.rows = averaging_rows, .elements = averaging_rows * channels, .rr = 1e30};
  return score;
}

Limits limits(Fill fill, TensorName tensor, const Score& score, Dtype dtype = Dtype::bf16,
              const Arithmetic& arithmetic = flash_arithmetic(Dtype::bf16)) {
  Case c;
  c.problem.dtype = dtype;
  c.fill = fill;
  return limits_for(c, arithmetic, tensor, score);
}

TEST(LimitsTest, EveryTensorDtypeAndFillHasARow) {
  for (const TensorName tensor : {TensorName::o, TensorName::dq, TensorName::dk, TensorName::dv}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
      for (const FillInfo& fill : fills) {
        EXPECT_TRUE(limits(fill.fill, tensor, score_of(64, 64, 64), dtype).row_rho.has_value());
      }
    }
  }
}

TEST(LimitsTest, BiasIsTestedOnlyWhereRoundingIsIncoherent) {
  for (const FillInfo& fill : fills) {
    const bool valid =
        fill.fill == Fill::normal || fill.fill == Fill::flat || fill.fill == Fill::uniform11;
    const Limits all = limits(fill.fill, TensorName::o, score_of(16, 64, 16));
    EXPECT_EQ(all.bias_z.has_value(), valid) << fill.name;
    EXPECT_EQ(all.gain.has_value(), !fill.adversarial && fill.fill != Fill::dupkeys) << fill.name;
    EXPECT_EQ(all.tensor_rho.has_value(), !fill.adversarial) << fill.name;
  }
}

TEST(LimitsTest, FewRowsOrShortContractionsAreNotAveraged) {
  EXPECT_FALSE(limits(Fill::normal, TensorName::o, score_of(15, 64, 15)).tensor_rho);
  EXPECT_TRUE(limits(Fill::normal, TensorName::o, score_of(16, 64, 15)).tensor_rho);
  EXPECT_FALSE(limits(Fill::normal, TensorName::o, score_of(16, 64, 15)).bias_z);
  EXPECT_FALSE(limits(Fill::normal, TensorName::o, score_of(16, 64, 15)).gain);
  EXPECT_FALSE(limits(Fill::normal, TensorName::dq, score_of(16, 64, 15)).tensor_rho);
  EXPECT_TRUE(limits(Fill::normal, TensorName::dq, score_of(16, 64, 16)).tensor_rho);
}

TEST(LimitsTest, GradientsAreAveragedOnlyOverZeroMeanFills) {
  for (const FillInfo& fill : fills) {
    EXPECT_EQ(limits(fill.fill, TensorName::dv, score_of(64, 64, 64)).tensor_rho.has_value(),
              fill.zero_mean)
        << fill.name;
  }
}

TEST(LimitsTest, TruncatingArithmeticIsNotHeldToBiasAndGain) {
  Arithmetic truncating;
  truncating.p_round = Rounding::rtz;
  const Limits all =
      limits(Fill::normal, TensorName::o, score_of(64, 64, 64), Dtype::bf16, truncating);
  EXPECT_FALSE(all.bias_z);
  EXPECT_FALSE(all.gain);
  EXPECT_TRUE(all.tensor_rho);
}

TEST(LimitsTest, TheHardBoundIsForSixteenBitOutputsOfASixteenBitP) {
  EXPECT_FALSE(limits(Fill::normal, TensorName::o, score_of(64, 64, 64), Dtype::bf16,
                      upcast_arithmetic(Dtype::bf16))
                   .hard_bound);
  EXPECT_TRUE(limits(Fill::normal, TensorName::o, score_of(64, 64, 64)).hard_bound);
  EXPECT_FALSE(limits(Fill::normal, TensorName::o, score_of(64, 64, 64), Dtype::f32).hard_bound);
  EXPECT_FALSE(limits(Fill::normal, TensorName::dv, score_of(64, 64, 64)).hard_bound);
}

TEST(LimitsTest, TheGainLimitGrowsWhereTheDataCannotResolveIt) {
  Score score = score_of(64, 64, 64);
  score.averaging.rr = 1e6;
  EXPECT_DOUBLE_EQ(*limits(Fill::normal, TensorName::o, score).gain, 6e-3);
}

TEST(LimitsTest, NarrowHeadsGetAWiderRowLimit) {
  EXPECT_GT(*limits(Fill::normal, TensorName::o, score_of(1000, 4, 0)).row_rho, 2.0);
  EXPECT_GT(*limits(Fill::normal, TensorName::o, score_of(1000, 1, 0)).row_rho, 6.0);
  EXPECT_EQ(*limits(Fill::normal, TensorName::o, score_of(1000, 64, 0)).row_rho, 2.0);
  // A clean row of 4 channels exceeds it with probability well below 1e-7 / rows.
  const double limit = narrow_row_rho(1000, 4);
  EXPECT_LT(chi_square_tail(4, 4 * limit * limit), 1e-10);
  EXPECT_NEAR(chi_square_tail(4, 4 * limit * limit / (1.15 * 1.15)), 1e-10, 1e-16);
}

// Percentage points from Abramowitz and Stegun, table 26.8.
TEST(ChiSquareTest, MatchesPrintedPercentagePoints) {
  EXPECT_NEAR(chi_square_upper_quantile(1, 0.05), 3.84146, 5e-6);
  EXPECT_NEAR(chi_square_upper_quantile(2, 0.01), 9.21034, 5e-6);
  EXPECT_NEAR(chi_square_upper_quantile(3, 0.001), 16.2662, 5e-5);
  EXPECT_NEAR(chi_square_upper_quantile(5, 0.5), 4.35146, 5e-6);
  EXPECT_NEAR(chi_square_upper_quantile(10, 0.005), 25.1882, 5e-5);
  EXPECT_NEAR(chi_square_upper_quantile(100, 0.05), 124.342, 5e-4);
}

TEST(ChiSquareTest, TwoDegreesAreAnExponential) {
  EXPECT_NEAR(chi_square_upper_quantile(2, 1e-12), -2 * std::log(1e-12), 1e-6);
  EXPECT_NEAR(chi_square_tail(2, 7), std::exp(-3.5), 1e-16);
}

TEST(ChiSquareTest, TailIsOneAtZero) {
  for (const Index degrees : {1, 2, 3, 64, 256}) EXPECT_EQ(chi_square_tail(degrees, 0), 1);
}

}  // namespace
}  // namespace fathom
