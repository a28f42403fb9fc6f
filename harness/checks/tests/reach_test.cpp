// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/reach.h"

#include "harness/core/visible.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(ReachTest, CountsWhatThePredicateLetsThrough) {
  for (const char* text : {"full", "causal(bottom_right)", "causal(top_left)", "window(2,1)",
                           "prefix_lm", "document(3,5,1)", "causal(bottom_right)&window(3,0)"}) {
    const Mask mask = parse_mask(text);
    for (const Sequence sequence :
         {Sequence{9, 9, 4}, {5, 9, 2}, {9, 5, 3}, {0, 4, 0}, {4, 0, 0}}) {
      const Reach reach = reach_of(mask, sequence);
      Reach counted;
      counted.keys_of_query.resize(static_cast<std::size_t>(sequence.query_length));
      counted.queries_of_key.resize(static_cast<std::size_t>(sequence.key_length));
      for (Index i = 0; i < sequence.query_length; ++i) {
        for (Index j = 0; j < sequence.key_length; ++j) {
          if (!visible(mask, sequence, i, j)) continue;
          ++counted.keys_of_query[static_cast<std::size_t>(i)];
          ++counted.queries_of_key[static_cast<std::size_t>(j)];
        }
      }
      EXPECT_EQ(reach.keys_of_query, counted.keys_of_query) << text;
      EXPECT_EQ(reach.queries_of_key, counted.queries_of_key) << text;
    }
  }
}

TEST(ReachTest, ContractionOfAWindowIsItsWidth) {
  const Reach reach = reach_of(parse_mask("window(7,0)"), {100, 100, 0});
  EXPECT_EQ(contraction_length(reach, TensorName::o), 8);
  EXPECT_EQ(contraction_length(reach, TensorName::dk), 8);
  const Reach decode = reach_of(parse_mask("causal(bottom_right)"), {1, 100, 0});
  EXPECT_EQ(contraction_length(decode, TensorName::dq), 100);
  EXPECT_EQ(contraction_length(decode, TensorName::dv), 1);
}

TEST(ReachTest, EverySequenceOfAProblemHasItsOwn) {
  Problem problem;
  problem.sequences = {{4, 4, 0}, {4, 4, 0}, {2, 8, 0}};
  const std::vector<Reach> reach = reach_of(problem);
  ASSERT_EQ(reach.size(), 3U);
  EXPECT_EQ(reach[0], reach[1]);
  EXPECT_EQ(reach[2].longest_query, 8);
}

}  // namespace
}  // namespace fathom
