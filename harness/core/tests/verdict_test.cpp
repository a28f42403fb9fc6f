// SPDX-License-Identifier: Apache-2.0
#include "harness/core/verdict.h"

#include <gtest/gtest.h>

#include <set>

namespace fathom {
namespace {

TEST(VerdictTest, EveryVerdictReadsBackItsName) {
  std::set<std::string_view> glyphs;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(verdicts[i].verdict), i);
    EXPECT_EQ(to_string(verdicts[i].verdict), verdicts[i].name);
    EXPECT_EQ(parse_verdict(verdicts[i].name), verdicts[i].verdict);
    EXPECT_FALSE(verdicts[i].meaning.empty());
    glyphs.insert(verdicts[i].plain);
  }
  EXPECT_EQ(glyphs.size(), verdicts.size());
  EXPECT_EQ(static_cast<std::size_t>(Verdict::error) + 1, verdicts.size());
  EXPECT_EQ(parse_verdict("passed"), std::nullopt);
  EXPECT_EQ(parse_verdict(""), std::nullopt);
}

TEST(VerdictTest, EveryFailClassReadsBackItsName) {
  for (int i = 0; i <= static_cast<int>(FailClass::out_of_bounds); ++i) {
    const auto fail_class = static_cast<FailClass>(i);
    EXPECT_EQ(parse_fail_class(to_string(fail_class)), fail_class);
  }
  EXPECT_EQ(to_string(FailClass::out_of_bounds), "out_of_bounds");
  EXPECT_EQ(parse_fail_class("speed"), std::nullopt);
}

TEST(VerdictTest, EveryExpectedWordReadsBack) {
  for (int i = 0; i <= static_cast<int>(Expected::unexpected_pass); ++i) {
    const auto expected = static_cast<Expected>(i);
    EXPECT_EQ(parse_expected(to_string(expected)), expected);
  }
  EXPECT_EQ(to_string(Expected::unexpected_pass), "unexpected_pass");
  EXPECT_EQ(parse_expected("xfail"), std::nullopt);
}

TEST(VerdictTest, OutcomesNestClassInVerdictInExpectation) {
  EXPECT_EQ(outcome_text(Verdict::pass, FailClass::none, Expected::no), "pass");
  EXPECT_EQ(outcome_text(Verdict::fail, FailClass::accuracy, Expected::no), "fail(accuracy)");
  EXPECT_EQ(outcome_text(Verdict::fail, FailClass::accuracy, Expected::expected_fail),
            "expected_fail(fail(accuracy))");
  EXPECT_EQ(outcome_text(Verdict::crash, FailClass::none, Expected::expected_fail),
            "expected_fail(crash)");
  EXPECT_EQ(outcome_text(Verdict::pass, FailClass::none, Expected::unexpected_pass),
            "unexpected_pass(pass)");
}

}  // namespace
}  // namespace fathom
