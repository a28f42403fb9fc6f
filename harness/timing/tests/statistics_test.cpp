// SPDX-License-Identifier: Apache-2.0
#include "harness/timing/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace fathom {
namespace {

std::vector<double> one_to(int n) {
  std::vector<double> samples(static_cast<std::size_t>(n));
  std::iota(samples.begin(), samples.end(), 1.0);
  return samples;
}

TEST(StatisticsTest, QuantileInterpolatesBetweenOrderStatistics) {
  const std::vector<double> samples{40, 10, 30, 20};
  EXPECT_DOUBLE_EQ(quantile(samples, 0), 10);
  EXPECT_DOUBLE_EQ(quantile(samples, 1), 40);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.5), 25);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.25), 17.5);
}

TEST(StatisticsTest, QuantileOfOneSampleIsThatSample) {
  const std::vector<double> one{7};
  for (const double q : {0.0, 0.3, 1.0}) EXPECT_DOUBLE_EQ(quantile(one, q), 7);
}

TEST(StatisticsTest, FiveSamplesHaveNo95PercentInterval) {
  for (int n = 0; n < 6; ++n) EXPECT_FALSE(median_half_width_95(one_to(n)).has_value()) << n;
}

// Ranks of the sign test's interval as printed in textbook tables: (n, r) with the interval from
// the r-th smallest to the r-th largest.
TEST(StatisticsTest, RanksAreThoseOfTheSignTest) {
  struct Row {
    int n;
    int rank;
  };
  for (const Row row : {Row{6, 1},
                        {8, 1},
                        {9, 2},
                        {11, 2},
                        {12, 3},
                        {15, 4},
                        {20, 6},
                        {25, 8},
                        {30, 10},
                        {50, 18},
                        {100, 40}}) {
    EXPECT_DOUBLE_EQ(*median_half_width_95(one_to(row.n)), (row.n + 1 - 2.0 * row.rank) / 2)
        << row.n;
  }
}

TEST(StatisticsTest, ThousandsOfSamplesNeitherUnderflowNorDrift) {
  // Normal approximation: r = n / 2 - 0.98 sqrt(n).
  EXPECT_NEAR(*median_half_width_95(one_to(20000)), 0.98 * std::sqrt(20000), 1.5);
}

TEST(StatisticsTest, TheIntervalHoldsTheMedian95TimesIn100) {
  std::mt19937_64 generator(5);
  std::exponential_distribution<double> skewed;
  int held = 0;
  constexpr int trials = 4000;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> samples(25);
    for (double& x : samples) x = skewed(generator);
    std::sort(samples.begin(), samples.end());
    // Ranks 8 of 25: the interval that the half width is of.
    EXPECT_DOUBLE_EQ(*median_half_width_95(samples), (samples[17] - samples[7]) / 2);
    const double median = std::log(2);
    held += samples[7] <= median && median <= samples[17];
  }
  EXPECT_GT(held, 0.945 * trials);
}

}  // namespace
}  // namespace fathom
