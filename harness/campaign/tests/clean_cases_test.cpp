// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/clean_cases.h"

#include <gtest/gtest.h>

#include <set>

namespace fathom {
namespace {

constexpr std::uint64_t drawn = 4000;

TEST(CleanCasesTest, EveryDrawnCaseIsAProblemAndItsTextReadsBack) {
  for (std::uint64_t i = 0; i < drawn; ++i) {
    const Case c = draw_clean_case(7, i);
    ASSERT_EQ(why_invalid(c.problem), std::nullopt) << to_string(c);
    Case back = parse_case(to_string(c));
    back.suite = c.suite;
    ASSERT_EQ(back, c) << to_string(c);
  }
}

TEST(CleanCasesTest, ADrawIsAFunctionOfItsNumbers) {
  EXPECT_EQ(to_string(draw_clean_case(1, 5)), to_string(draw_clean_case(1, 5)));
  EXPECT_NE(to_string(draw_clean_case(1, 5)), to_string(draw_clean_case(2, 5)));
}

TEST(CleanCasesTest, CoversFillsDtypesMasksAndLengths) {
  std::set<std::string> fills_seen;
  std::set<std::string> families;
  std::set<Dtype> dtypes_seen;
  Index longest_key = 0;
  Index longest_query = 0;
  std::size_t backward = 0;
  for (std::uint64_t i = 0; i < drawn; ++i) {
    const Case c = draw_clean_case(7, i);
    fills_seen.emplace(to_string(c.fill));
    families.insert(family(c.problem.mask));
    dtypes_seen.insert(c.problem.dtype);
    longest_key = std::max(longest_key, c.problem.sequences[0].key_length);
    longest_query = std::max(longest_query, c.problem.sequences[0].query_length);
    backward += has_backward(c.problem) ? 1 : 0;
  }
  EXPECT_EQ(fills_seen.size(), fills.size());
  EXPECT_EQ(dtypes_seen.size(), 3U);
  EXPECT_GE(families.size(), 7U);
  EXPECT_GT(longest_key, 3500);
  EXPECT_GE(longest_query, 200);
  EXPECT_NEAR(static_cast<double>(backward) / drawn, 0.5, 0.05);
}

}  // namespace
}  // namespace fathom
