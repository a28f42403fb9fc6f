// SPDX-License-Identifier: Apache-2.0
#include "harness/peers/distance.h"

#include "harness/core/types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace fathom {
namespace {

using Values = std::vector<double>;

TEST(DistanceTest, StatisticsByHand) {
  const Values a{1, 2, 4};
  const Values b{1, 4, 2};
  EXPECT_EQ(max_distance(a, b), 2);
  EXPECT_EQ(mean_distance(a, b), 4.0 / 3);
  EXPECT_EQ(max_relative_distance(a, b, 0), 1);
  EXPECT_EQ(normalised_square_error(a, b), 8.0 / 21);
  EXPECT_DOUBLE_EQ(cosine_deficit(a, b), 1 - 17.0 / 21);
  EXPECT_EQ(worst_closeness(a, b, {.absolute = 1, .relative = 0.25}), 2 / 1.5);
  EXPECT_EQ(share_not_close(a, b, {.absolute = 1, .relative = 0.25}), 1.0 / 3);
}

TEST(DistanceTest, NanIsNeverLost) {
  for (const std::size_t at : {0U, 1U, 2U}) {
    Values a{1, 2, 4};
    const Values b{1, 4, 2};
    a[at] = nan;
    EXPECT_TRUE(std::isnan(max_distance(a, b)));
    EXPECT_TRUE(std::isnan(mean_distance(a, b)));
    EXPECT_TRUE(std::isnan(normalised_square_error(a, b)));
    EXPECT_TRUE(std::isnan(cosine_deficit(a, b)));
    EXPECT_TRUE(std::isnan(worst_closeness(a, b, {1, 1})));
    EXPECT_GE(share_not_close(a, b, {1, 1}), 1.0 / 3);
  }
}

TEST(DistanceTest, EqualInfinitiesAreCloseAndNothingElseIsCloseToThem) {
  EXPECT_EQ(closeness_share(infinity, infinity, {1, 1}), 0);
  EXPECT_EQ(closeness_share(-infinity, infinity, {1, 1}), infinity);
  EXPECT_EQ(closeness_share(1, infinity, {1, 1}), infinity);
  EXPECT_EQ(closeness_share(infinity, 1, {1, 1}), infinity);
}

TEST(DistanceTest, ZeroOverZeroIsNamed) {
  EXPECT_EQ(max_relative_distance(Values{0}, Values{0}, 0.25), 0.25);
  EXPECT_EQ(max_relative_distance(Values{1}, Values{0}, 0.25), infinity);
  EXPECT_EQ(normalised_square_error(Values{0}, Values{0}), 0);
  EXPECT_TRUE(std::isnan(cosine_deficit(Values{0}, Values{1})));
  EXPECT_EQ(peer_share(0, 0), 0);
  EXPECT_EQ(peer_share(1, 0), infinity);
}

}  // namespace
}  // namespace fathom
