// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/lowering.h"

#include <gtest/gtest.h>

#include <string>

namespace fathom::sdpa {
namespace {

Problem problem(const std::string& layout_seqs_mask) {
  return parse_problem("dir=fwd dtype=f32 hq=2 hkv=2 d=8 dv=8 " + layout_seqs_mask);
}

/// The lowerings that can say the Problem, in order.
std::string possible(const std::string& text) {
  std::string names;
  for (const Lowering& lowering : lowerings) {
    if (why_not_lowered(problem(text), lowering)) continue;
    names += (names.empty() ? "" : " ") + std::string(lowering.name);
  }
  return names;
}

TEST(LoweringTest, DenseFullAndSquareCausalAreSaidEveryWay) {
  const std::string all = "native dense_mask loop loop+dense_mask";
  EXPECT_EQ(possible("layout=bshd seqs=2*4 mask=full"), all);
  EXPECT_EQ(possible("layout=bshd seqs=2*4x7 mask=full"), all);
  EXPECT_EQ(possible("layout=bhsd seqs=2*4 mask=causal(bottom_right)"), all);
  EXPECT_EQ(possible("layout=bshd seqs=2*4x7 mask=causal(top_left)"), all);
}

TEST(LoweringTest, TorchsFlagCannotSayBottomRightOfUnequalLengths) {
  EXPECT_EQ(possible("layout=bshd seqs=2*4x7 mask=causal(bottom_right)"),
            "dense_mask loop+dense_mask");
}

TEST(LoweringTest, MasksThatTorchDoesNotKnowNeedATensor) {
  for (const std::string mask :
       {"prefix_lm", "window(2,0)", "document(1,3)", "causal(top_left)&causal(top_left)",
        "causal(top_left)&window(2,2)"}) {
    EXPECT_EQ(possible("layout=bshd seqs=2*4 mask=" + mask), "dense_mask loop+dense_mask") << mask;
  }
}

TEST(LoweringTest, PackedSequencesNeedALoop) {
  EXPECT_EQ(possible("layout=thd seqs=3,5 mask=causal(bottom_right)"), "loop loop+dense_mask");
  EXPECT_EQ(possible("layout=thd seqs=3,5p2 mask=prefix_lm"), "loop+dense_mask");
  EXPECT_EQ(possible("layout=thd seqs=3,5x6 mask=causal(bottom_right)"), "loop+dense_mask");
}

TEST(LoweringTest, OnePackedSequenceIsADenseBatchOfOne) {
  EXPECT_EQ(possible("layout=thd seqs=5 mask=full"), "native dense_mask loop loop+dense_mask");
}

TEST(LoweringTest, ARefusalNamesTheMask) {
  const auto refusal =
      why_not_lowered(problem("layout=bshd seqs=2*4p1 mask=prefix_lm"), *find_lowering("native"));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, "lowering");
  EXPECT_NE(refusal->sentence.find("prefix_lm"), std::string::npos) << refusal->sentence;
}

TEST(LoweringTest, NativeIsOneCallForTheBatch) {
  const auto calls =
      lower(problem("layout=bshd seqs=3*4x7 mask=causal(top_left)"), *find_lowering("native"));
  EXPECT_EQ(
      calls,
      (std::vector<Call>{{.count = 3, .query_length = 4, .key_length = 7, .is_causal = true}}));
}

TEST(LoweringTest, LoopCutsPackedTokensAtRunningSums) {
  const auto calls = lower(problem("layout=thd seqs=3,0x2,5x6 mask=full"), *find_lowering("loop"));
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[2], (Call{.first = 2,
                            .count = 1,
                            .query_begin = 3,
                            .query_length = 5,
                            .key_begin = 5,
                            .key_length = 6}));
}

TEST(LoweringTest, LoopOverADenseBatchTakesBatchEntries) {
  const auto calls = lower(problem("layout=bshd seqs=2*4 mask=full"), *find_lowering("loop"));
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1], (Call{.first = 1, .count = 1, .query_length = 4, .key_length = 4}));
}

TEST(LoweringTest, AMaskTensorReplacesTheFlag) {
  const auto calls =
      lower(problem("layout=bshd seqs=4 mask=causal(top_left)"), *find_lowering("dense_mask"));
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_FALSE(calls[0].is_causal);
}

TEST(LoweringTest, AnUnknownNameIsNoLowering) {
  EXPECT_FALSE(find_lowering("two_pass"));
}

}  // namespace
}  // namespace fathom::sdpa
