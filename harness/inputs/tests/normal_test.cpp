// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/normal.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

namespace fathom {
namespace {

constexpr std::size_t many = 1 << 22;

std::vector<double> draw(std::uint64_t key, std::size_t count) {
  std::vector<double> values(count);
  fill_normal(key, 0, values);
  return values;
}

/// Mean of x^power over the draw.
double moment(const std::vector<double>& values, int power) {
  double sum = 0;
  for (const double x : values) sum += std::pow(x, power);
  return sum / static_cast<double>(values.size());
}

TEST(NormalTest, MomentsAreThoseOfTheStandardNormal) {
  const auto values = draw(1, many);
  const double unit = 1.0 / std::sqrt(static_cast<double>(many));
  // Standard deviations of the sample moments: 1, sqrt 2, sqrt 15, sqrt 96; five of each.
  EXPECT_NEAR(moment(values, 1), 0.0, 5 * 1.0 * unit);
  EXPECT_NEAR(moment(values, 2), 1.0, 5 * std::sqrt(2.0) * unit);
  EXPECT_NEAR(moment(values, 3), 0.0, 5 * std::sqrt(15.0) * unit);
  EXPECT_NEAR(moment(values, 4), 3.0, 5 * std::sqrt(96.0) * unit);
}

TEST(NormalTest, TailsHoldTheirShare) {
  const auto values = draw(2, 4 * many);
  for (const double edge : {0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 4.5, 5.0}) {
    for (const double sign : {-1.0, 1.0}) {
      double count = 0;
      for (const double x : values) count += sign * x > edge ? 1 : 0;
      const double want = static_cast<double>(values.size()) * 0.5 * std::erfc(edge / std::sqrt(2));
      EXPECT_NEAR(count, want, 5 * std::sqrt(want) + 1) << sign * edge;
    }
  }
}

TEST(NormalTest, NeighboursAreUncorrelated) {
  const auto values = draw(3, many);
  const double limit = 5.0 / std::sqrt(static_cast<double>(many));
  for (const std::size_t lag : {1, 2, 3, 4, 64, 128}) {
    double sum = 0;
    for (std::size_t i = lag; i < values.size(); ++i) sum += values[i] * values[i - lag];
    EXPECT_NEAR(sum / static_cast<double>(values.size()), 0.0, limit) << lag;
  }
}

TEST(NormalTest, EmpiricalDistributionFollowsErfc) {
  auto values = draw(4, many);
  std::sort(values.begin(), values.end());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double expected = 0.5 * std::erfc(-values[i] / std::sqrt(2));
    const double seen = (static_cast<double>(i) + 0.5) / static_cast<double>(many);
    worst = std::max(worst, std::abs(expected - seen));
  }
  EXPECT_LT(worst * std::sqrt(static_cast<double>(many)), 1.95);  // Kolmogorov: p = 0.001.
}

TEST(NormalTest, BitsArePinned) {
  // Recorded once; a compiler, a machine or an edit that changes one bit of the inputs shows here.
  const auto values = draw(0x0123456789ABCDEF, 1 << 16);
  std::uint64_t hash = 0;
  for (const double x : values) {
    hash = (hash ^ std::bit_cast<std::uint64_t>(x)) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 32;
  }
  EXPECT_EQ(hash, 0xF6FE840771B0BD5BU);
}

TEST(NormalTest, UniformsStayInsideTheOpenInterval) {
  std::vector<double> values(many);
  fill_uniform(5, 0, values);
  double sum = 0;
  double low = 1;
  double high = 0;
  for (const double x : values) {
    sum += x;
    low = std::min(low, x);
    high = std::max(high, x);
  }
  EXPECT_GT(low, 0.0);
  EXPECT_LT(high, 1.0);
  EXPECT_LT(low, 1e-5);
  EXPECT_GT(high, 1 - 1e-5);
  EXPECT_NEAR(sum / many, 0.5, 5 / std::sqrt(12.0 * many));
}

}  // namespace
}  // namespace fathom
