// SPDX-License-Identifier: Apache-2.0
#include "harness/timing/stop_rule.h"

#include <gtest/gtest.h>

#include <vector>

namespace fathom {
namespace {

std::vector<double> alternating(std::size_t n, double low, double high) {
  std::vector<double> samples(n);
  for (std::size_t i = 0; i < n; ++i) samples[i] = i % 2 == 0 ? low : high;
  return samples;
}

const StopRule rule{
    .min_samples = 5, .max_samples = 30, .budget_ns = 1e6, .relative_half_width = 0.02};

TEST(StopRuleTest, GoesOnWithoutSamples) {
  EXPECT_EQ(why_stop(rule, {}), "");
}

TEST(StopRuleTest, GoesOnBelowTheMinimumWhateverTheySay) {
  EXPECT_EQ(why_stop(rule, alternating(4, 9e6, 9e6)), "");
}

TEST(StopRuleTest, EqualSamplesArePreciseFromSixOn) {
  EXPECT_EQ(why_stop(rule, alternating(5, 100, 100)), "");
  EXPECT_EQ(why_stop(rule, alternating(6, 100, 100)), "precision");
}

TEST(StopRuleTest, PrecisionIsTheHalfWidthRelativeToTheMedian) {
  EXPECT_EQ(why_stop(rule, alternating(10, 100, 103.9)), "precision");
  EXPECT_EQ(why_stop(rule, alternating(10, 100, 104.2)), "");
}

TEST(StopRuleTest, StopsAtTheMaximumOfSamples) {
  EXPECT_EQ(why_stop(rule, alternating(29, 100, 200)), "");
  EXPECT_EQ(why_stop(rule, alternating(30, 100, 200)), "budget");
}

TEST(StopRuleTest, StopsWhenTheTimeIsSpent) {
  EXPECT_EQ(why_stop(rule, alternating(8, 100000, 140000)), "");
  EXPECT_EQ(why_stop(rule, alternating(8, 100000, 150000)), "budget");
}

TEST(StopRuleTest, SlowSamplesStopAtTheMinimum) {
  EXPECT_EQ(why_stop(rule, alternating(5, 1e9, 2e9)), "budget");
}

}  // namespace
}  // namespace fathom
