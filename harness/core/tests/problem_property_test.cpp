// SPDX-License-Identifier: Apache-2.0
#include "harness/core/case.h"
#include "harness/core/features.h"
#include "harness/core/tests/random_problem.h"
#include "harness/core/text.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

/// The same fields in a random order.
std::string shuffled(const std::string& text) {
  std::vector<std::string> fields;
  for (const std::string_view field : split(text, ' ')) fields.emplace_back(field);
  for (std::size_t i = fields.size(); i > 1; --i) {
    std::swap(fields[i - 1], fields[*rc::gen::inRange<std::size_t>(0, i)]);
  }
  return join(fields, " ");
}

TEST(ProblemPropertyTest, RandomProblemsAreValid) {
  EXPECT_TRUE(rc::check([] { RC_ASSERT(!why_invalid(*random_value::problems())); }));
}

TEST(ProblemPropertyTest, ParseIsTheInverseOfToStringInAnyOrderOfFields) {
  EXPECT_TRUE(rc::check([] {
    const Problem p = *random_value::problems();
    RC_ASSERT(parse_problem(to_string(p)) == p);
    RC_ASSERT(parse_problem(shuffled(to_string(p))) == p);
  }));
}

TEST(ProblemPropertyTest, ParseCaseIsTheInverseOfToStringInAnyOrderOfFields) {
  EXPECT_TRUE(rc::check([] {
    const Case c = *random_value::cases();
    RC_ASSERT(parse_case(to_string(c)) == c);
    RC_ASSERT(parse_case(shuffled(to_string(c))) == c);
  }));
}

TEST(ProblemPropertyTest, ParseMaskIsTheInverseOfToString) {
  EXPECT_TRUE(rc::check([] {
    const Mask mask = *random_value::masks();
    RC_ASSERT(parse_mask(to_string(mask)) == mask);
  }));
}

TEST(ProblemPropertyTest, EqualTextMeansEqualProblem) {
  EXPECT_TRUE(rc::check([] {
    const Problem a = *random_value::problems();
    const Problem b = *random_value::problems();
    RC_ASSERT((to_string(a) == to_string(b)) == (a == b));
  }));
}

TEST(ProblemPropertyTest, EveryTokenNeededIsInTheTableOnceAndInItsOrder) {
  EXPECT_TRUE(rc::check([] {
    const Problem p = *random_value::problems();
    std::vector<std::string> expected;
    for (const FeatureToken& token : all_feature_tokens()) {
      if (token.needed(p)) expected.emplace_back(token.name);
    }
    RC_ASSERT(feature_tokens(p) == expected);
  }));
}

}  // namespace
}  // namespace fathom
