// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/dense_mask.h"

#include <gtest/gtest.h>

#include <string>

namespace fathom::sdpa {
namespace {

/// The mask as a picture: one line per query, x where it attends.
std::string picture(const std::string& mask, const Sequence& sequence) {
  std::string text;
  for (Index query = 0; query < sequence.query_length; ++query) {
    for (Index key = 0; key < sequence.key_length; ++key) {
      text += attends(parse_mask(mask), sequence, query, key) ? 'x' : '.';
    }
    text += '\n';
  }
  return text;
}

TEST(DenseMaskTest, FullShowsEveryKey) {
  EXPECT_EQ(picture("full", {2, 3, 0}), "xxx\nxxx\n");
}

TEST(DenseMaskTest, TopLeftCausalStartsAtTheFirstKey) {
  EXPECT_EQ(picture("causal(top_left)", {2, 4, 0}), "x...\nxx..\n");
  EXPECT_EQ(picture("causal(top_left)", {4, 2, 0}), "x.\nxx\nxx\nxx\n");
}

TEST(DenseMaskTest, BottomRightCausalEndsAtTheLastKey) {
  EXPECT_EQ(picture("causal(bottom_right)", {2, 4, 0}), "xxx.\nxxxx\n");
  EXPECT_EQ(picture("causal(bottom_right)", {4, 2, 0}), "..\n..\nx.\nxx\n");
}

TEST(DenseMaskTest, WindowEndsAreInclusiveAndFollowTheBottomRightCorner) {
  EXPECT_EQ(picture("window(1,0)", {4, 4, 0}), "x...\nxx..\n.xx.\n..xx\n");
  EXPECT_EQ(picture("window(0,1)", {3, 4, 0}), ".xx.\n..xx\n...x\n");
}

TEST(DenseMaskTest, AWindowSideOfMinusOneIsInfinite) {
  EXPECT_EQ(picture("window(-1,0)", {3, 3, 0}), "x..\nxx.\nxxx\n");
  EXPECT_EQ(picture("window(0,-1)", {3, 3, 0}), "xxx\n.xx\n..x\n");
}

TEST(DenseMaskTest, APrefixNeverSeesTheResponse) {
  EXPECT_EQ(picture("prefix_lm", {4, 4, 2}), "xx..\nxx..\nxxx.\nxxxx\n");
}

TEST(DenseMaskTest, PrefixLmDegeneratesToCausalAndToFull) {
  EXPECT_EQ(picture("prefix_lm", {3, 3, 0}), "x..\nxx.\nxxx\n");
  EXPECT_EQ(picture("prefix_lm", {3, 3, 3}), "xxx\nxxx\nxxx\n");
}

TEST(DenseMaskTest, PrefixLmQueriesAreTheLastTokensOfTheSequence) {
  EXPECT_EQ(picture("prefix_lm", {2, 4, 3}), "xxx.\nxxxx\n");
}

TEST(DenseMaskTest, DocumentsAreCutAtRunningSumsAndTheRestIsOneMore) {
  EXPECT_EQ(picture("document(1,2)", {5, 5, 0}), "x....\n.xx..\n.xx..\n...xx\n...xx\n");
}

TEST(DenseMaskTest, DocumentQueriesCountFromTheEnd) {
  EXPECT_EQ(picture("document(2)", {2, 4, 0}), "..xx\n..xx\n");
}

TEST(DenseMaskTest, TermsAreAConjunction) {
  EXPECT_EQ(picture("causal(bottom_right)&document(2)", {4, 4, 0}), "x...\nxx..\n..x.\n..xx\n");
}

}  // namespace
}  // namespace fathom::sdpa
