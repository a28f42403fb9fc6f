// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_lowering.h"

#include <gtest/gtest.h>

#include <string>

namespace fathom::fa3 {
namespace {

Problem shaped(const std::string& layout_seqs_mask) {
  return parse_problem("dir=fwd dtype=bf16 hq=2 hkv=2 d=8 dv=8 " + layout_seqs_mask);
}

using Lengths = std::vector<Index>;

TEST(Fa3LoweringTest, ADenseBatchHasNoLengths) {
  const auto calls = lower(shaped("layout=bshd seqs=3*4x7 mask=causal(bottom_right)"), native);
  EXPECT_EQ(calls, (std::vector<Call>{{.cu_seqlens_q = {},
                                       .cu_seqlens_k = {},
                                       .seqused_q = {},
                                       .seqused_k = {},
                                       .max_seqlen_q = 4,
                                       .max_seqlen_k = 7,
                                       .is_causal = true}}));
}

TEST(Fa3LoweringTest, PackedSequencesAreRunningSums) {
  const auto calls = lower(shaped("layout=thd seqs=3,0x2,5x6 mask=full"), native);
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].cu_seqlens_q, (Lengths{0, 3, 3, 8}));
  EXPECT_EQ(calls[0].cu_seqlens_k, (Lengths{0, 3, 5, 11}));
  EXPECT_TRUE(calls[0].seqused_q.empty() && calls[0].seqused_k.empty());
  EXPECT_EQ(calls[0].max_seqlen_q, 5);
  EXPECT_EQ(calls[0].max_seqlen_k, 6);
  EXPECT_FALSE(calls[0].is_causal);
}

/// is_causal(left,right), as the op is told.
std::string said(const std::string& mask) {
  const Call call = lower(shaped("layout=bshd seqs=9 mask=" + mask), native).at(0);
  return std::string(call.is_causal ? "causal" : "") + "(" + std::to_string(call.window_left) +
         "," + std::to_string(call.window_right) + ")";
}

TEST(Fa3LoweringTest, AMaskIsAFlagAndTheNarrowestWindow) {
  EXPECT_EQ(said("full"), "(-1,-1)");
  EXPECT_EQ(said("causal(bottom_right)"), "causal(-1,-1)");
  EXPECT_EQ(said("causal(top_left)"), "causal(-1,-1)");
  EXPECT_EQ(said("window(3,2)"), "(3,2)");
  EXPECT_EQ(said("window(-1,0)"), "(-1,0)");
  EXPECT_EQ(said("causal(bottom_right)&window(3,-1)"), "causal(3,-1)");
  EXPECT_EQ(said("window(5,-1)&window(3,4)&window(-1,2)"), "(3,2)");
}

std::string why_no_call(const std::string& text, std::string_view lowering) {
  const auto refusal = why_not_lowered(shaped(text), lowering);
  return refusal ? refusal->sentence : "";
}

TEST(Fa3LoweringTest, RefusesMasksThatTheOpHasNoWordFor) {
  for (const std::string mask : {"prefix_lm", "document(1,3)", "document(1,3)&window(2,0)"}) {
    EXPECT_NE(why_no_call("layout=bshd seqs=2*4 mask=" + mask, native).find(mask),
              std::string::npos);
  }
}

TEST(Fa3LoweringTest, RefusesTopLeftCausalOfUnequalLengthsOnly) {
  EXPECT_EQ(why_no_call("layout=bshd seqs=2*4 mask=causal(top_left)", native), "");
  EXPECT_NE(why_no_call("layout=bshd seqs=2*4x7 mask=causal(top_left)", native).find("top_left"),
            std::string::npos);
  EXPECT_NE(why_no_call("layout=thd seqs=4,4x7 mask=causal(top_left)", native), "");
}

TEST(Fa3LoweringTest, TwoPassAnswersPrefixLmAlone) {
  EXPECT_EQ(why_no_call("layout=thd seqs=4p2 mask=prefix_lm", two_pass), "");
  EXPECT_NE(why_no_call("layout=thd seqs=4 mask=full", two_pass), "");
  EXPECT_NE(why_no_call("layout=thd seqs=4p2 mask=prefix_lm&window(2,2)", two_pass), "");
  EXPECT_NE(why_no_call("layout=thd seqs=4 mask=full", "loop").find("loop"), std::string::npos);
}

TEST(Fa3LoweringTest, TwoPassPacksABatchWhereThatNeedsNoCopy) {
  EXPECT_EQ(why_no_call("layout=bshd seqs=2*4p2 mask=prefix_lm", two_pass), "");
  EXPECT_EQ(why_no_call("layout=bhsd seqs=4p2 mask=prefix_lm", two_pass), "");
  EXPECT_NE(why_no_call("layout=bhsd seqs=2*4p2 mask=prefix_lm", two_pass), "");
}

TEST(Fa3LoweringTest, TheFirstPassIsThePrefixesAndTheSecondStartsBehindThem) {
  const auto calls = lower(shaped("layout=thd seqs=7p3,5,4p4 mask=prefix_lm"), two_pass);
  EXPECT_EQ(calls, (std::vector<Call>{{.cu_seqlens_q = {0, 7, 12, 16},
                                       .cu_seqlens_k = {0, 7, 12, 16},
                                       .seqused_q = {3, 0, 4},
                                       .seqused_k = {3, 0, 4},
                                       .max_seqlen_q = 4,
                                       .max_seqlen_k = 4},
                                      {.cu_seqlens_q = {3, 7, 16, 16},
                                       .cu_seqlens_k = {0, 7, 12, 16},
                                       .seqused_q = {4, 5, 0},
                                       .seqused_k = {},
                                       .max_seqlen_q = 5,
                                       .max_seqlen_k = 7,
                                       .is_causal = true}}));
}

TEST(Fa3LoweringTest, WithACacheOnlySomeQueriesStandInThePrefix) {
  const auto calls =
      lower(shaped("layout=thd seqs=3x10p8,2x10p8,1x10p10 mask=prefix_lm"), two_pass);
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].seqused_q, (Lengths{1, 0, 1}));
  EXPECT_EQ(calls[0].seqused_k, (Lengths{8, 8, 10}));
  EXPECT_EQ(calls[1].cu_seqlens_q, (Lengths{1, 3, 6, 6}));
  EXPECT_EQ(calls[1].seqused_q, (Lengths{2, 2, 0}));
}

TEST(Fa3LoweringTest, QueriesBeforeTheSequenceBelongToItsPrefix) {
  const auto calls = lower(shaped("layout=thd seqs=9x4p2,9x4 mask=prefix_lm"), two_pass);
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].seqused_q, (Lengths{7, 0}));
  EXPECT_EQ(calls[1].seqused_q, (Lengths{2, 9}));
}

TEST(Fa3LoweringTest, APassWithoutQueriesIsNotMade) {
  const auto only_prefixes = lower(shaped("layout=thd seqs=7p7,3p3 mask=prefix_lm"), two_pass);
  ASSERT_EQ(only_prefixes.size(), 1U);
  EXPECT_FALSE(only_prefixes[0].is_causal);
  const auto no_prefix = lower(shaped("layout=thd seqs=7,3 mask=prefix_lm"), two_pass);
  ASSERT_EQ(no_prefix.size(), 1U);
  EXPECT_TRUE(no_prefix[0].is_causal);
  EXPECT_TRUE(lower(shaped("layout=thd seqs=0x5p5,0 mask=prefix_lm"), two_pass).empty());
}

}  // namespace
}  // namespace fathom::fa3
