// SPDX-License-Identifier: Apache-2.0
#include "harness/core/visible.h"

#include "harness/core/cost.h"

#include <gtest/gtest.h>

#include <string>

namespace fathom {
namespace {

/// A row per query, a column per key: `1` where the query sees the key.
std::string picture(std::string_view mask, const Sequence& s) {
  const Mask parsed = parse_mask(mask);
  std::string text;
  for (Index query = 0; query < s.query_length; ++query) {
    if (query > 0) text += '/';
    for (Index key = 0; key < s.key_length; ++key)
      text += visible(parsed, s, query, key) ? '1' : '0';
  }
  return text;
}

Index pairs(std::string_view mask, const Sequence& s) {
  Problem p;
  p.layout = Layout::thd;
  p.mask = parse_mask(mask);
  p.sequences = {s};
  return visible_pairs(p);
}

TEST(VisibleTest, FullLetsEveryQuerySeeEveryKey) {
  EXPECT_EQ(picture("full", {2, 3}), "111/111");
  EXPECT_EQ(pairs("full", {113, 203}), 113 * 203);
}

TEST(VisibleTest, TopLeftCausalStartsAtTheFirstKey) {
  EXPECT_EQ(picture("causal(top_left)", {2, 5}), "10000/11000");
  EXPECT_EQ(picture("causal(top_left)", {5, 2}), "10/11/11/11/11");
  EXPECT_EQ(pairs("causal(top_left)", {1, 77}), 1);
  EXPECT_EQ(pairs("causal(top_left)", {113, 203}), 113 * 114 / 2);
  EXPECT_EQ(pairs("causal(top_left)", {203, 113}), 113 * 114 / 2 + 90 * 113);
}

TEST(VisibleTest, BottomRightCausalLetsTheLastQuerySeeEveryKey) {
  EXPECT_EQ(picture("causal(bottom_right)", {2, 5}), "11110/11111");
  EXPECT_EQ(picture("causal(bottom_right)", {5, 2}), "00/00/00/10/11");
  EXPECT_EQ(pairs("causal(bottom_right)", {1, 77}), 77);
  EXPECT_EQ(pairs("causal(bottom_right)", {113, 203}), 113 * 90 + 113 * 114 / 2);
  EXPECT_EQ(pairs("causal(bottom_right)", {203, 113}), 113 * 114 / 2);
}

TEST(VisibleTest, WindowsCountTheirOwnDiagonal) {
  EXPECT_EQ(picture("window(1,0)", {4, 4}), "1000/1100/0110/0011");  // W + 1 keys.
  EXPECT_EQ(picture("window(0,0)", {3, 3}), "100/010/001");
  EXPECT_EQ(picture("window(0,2)", {4, 4}), "1110/0111/0011/0001");
  EXPECT_EQ(picture("window(1,1)", {2, 4}), "0111/0011");
  EXPECT_EQ(picture("window(1,0)", {4, 2}), "00/00/10/11");
  EXPECT_EQ(pairs("window(32,0)", {100, 100}), 33 * 100 - 33 * 32 / 2);
}

TEST(VisibleTest, AnInfiniteSideOfAWindowIsMinusOne) {
  for (const Sequence s : {Sequence{2, 5}, Sequence{5, 2}, Sequence{1, 9}, Sequence{7, 7}}) {
    EXPECT_EQ(picture("window(-1,0)", s), picture("causal(bottom_right)", s));
    EXPECT_EQ(picture("window(-1,-1)", s), picture("full", s));
  }
  EXPECT_EQ(picture("window(0,-1)", {3, 3}), "111/011/001");
}

TEST(VisibleTest, PrefixLmIsBidirectionalInThePrefixAndCausalAfterIt) {
  EXPECT_EQ(picture("prefix_lm", {5, 5, 3}), "11100/11100/11100/11110/11111");
  EXPECT_EQ(picture("prefix_lm", {2, 5, 3}), "11110/11111");  // Decoding: the last two tokens.
  EXPECT_EQ(picture("prefix_lm", {3, 5, 4}), "11110/11110/11111");
  EXPECT_EQ(picture("prefix_lm", {4, 4, 0}), picture("causal", {4, 4}));
  EXPECT_EQ(picture("prefix_lm", {4, 4, 4}), picture("full", {4, 4}));
  for (const Index n : {1, 2, 37, 113}) {
    for (const Index p : {Index{0}, Index{1}, n / 2, n}) {
      EXPECT_EQ(pairs("prefix_lm", {n, n, p}), n * (n + 1) / 2 + p * (p - 1) / 2);
    }
  }
}

TEST(VisibleTest, DocumentsSeeNothingOfEachOther) {
  EXPECT_EQ(picture("document(1,3)", {5, 5}), "10000/01110/01110/01110/00001");
  EXPECT_EQ(picture("document(2,2)", {2, 4}), "0011/0011");
  EXPECT_EQ(picture("document(2,9)", {4, 4}), "1100/1100/0011/0011");
  EXPECT_EQ(picture("document(1,1)", {4, 2}), "10/10/10/01");
  EXPECT_EQ(pairs("document(10,20,30)", {100, 100}), 100 + 400 + 900 + 1600);
}

TEST(VisibleTest, AConjunctionLetsThroughWhatEveryTermLetsThrough) {
  EXPECT_EQ(picture("causal&window(1,1)", {4, 4}), "1000/1100/0110/0011");
  EXPECT_EQ(picture("causal&document(2,2)", {4, 4}), "1000/1100/0010/0011");
  EXPECT_EQ(picture("prefix_lm&window(1,-1)", {4, 4, 2}), "1100/1100/0110/0011");
  EXPECT_EQ(picture("causal(top_left)&causal(bottom_right)", {2, 4}), "1000/1100");
  EXPECT_EQ(picture("document(1)&causal(top_left)&window(0,0)", {2, 4}), "0000/0000");
}

TEST(VisibleTest, EmptySequencesHaveNoPairs) {
  EXPECT_EQ(pairs("causal", {0, 5}), 0);
  EXPECT_EQ(pairs("causal", {5, 0}), 0);
  EXPECT_EQ(pairs("prefix_lm", {0, 0}), 0);
}

}  // namespace
}  // namespace fathom
