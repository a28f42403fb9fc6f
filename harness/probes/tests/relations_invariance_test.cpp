// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/relations_support.h"

namespace fathom::probes_test {
namespace {

TEST(InvarianceProbeTest, HonestKernelsPass) {
  expect_honest_passes("invariance");
}

TEST(InvarianceProbeTest, ZerosNeverPass) {
  expect_zeros_never_pass("invariance");
}

TEST(InvarianceProbeTest, AnswersSayWhatIsBitwise) {
  const Judgement judgement =
      put(case_text("invariance", "bf16", "layout=bshd hq=4 hkv=2 seqs=2*40x66 mask=full"));
  EXPECT_EQ(judgement.verdict, Verdict::pass) << text_of(judgement);
  EXPECT_EQ(judgement.answers.at("batch invariant"), "yes");
  EXPECT_EQ(judgement.answers.at("layout bhsd"), "bitwise");
  EXPECT_EQ(judgement.answers.at("layout thd"), "bitwise");
  EXPECT_EQ(judgement.answers.at("K and V repeated for every query head"), "bitwise");
  EXPECT_EQ(judgement.answers.at("keys in another order"), "right");
  EXPECT_EQ(judgement.answers.at("K + 2"), "right");
  EXPECT_EQ(judgement.answers.count("halves merged by LSE"), 1U);
}

TEST(InvarianceProbeTest, FindsAnAssumedLayout) {
  expect_fails(case_text("invariance", "bf16", "layout=bshd hq=2 hkv=2 seqs=2*20 mask=full"),
               Fault::bshd_assumed, FailClass::contract, "probe.invariance");
}

TEST(InvarianceProbeTest, FindsAWrongHeadMap) {
  expect_fails(case_text("invariance", "bf16", "layout=bshd hq=4 hkv=2 seqs=20 mask=full"),
               Fault::head_modulo, FailClass::contract, "probe.invariance");
}

TEST(InvarianceProbeTest, FindsNeighboursInABatch) {
  expect_fails(case_text("invariance", "bf16", "layout=thd hq=1 hkv=1 seqs=20,33x70 mask=full"),
               Fault::reads_past_end, FailClass::contract, "probe.invariance");
  expect_fails(
      case_text("invariance", "bf16", "layout=thd hq=1 hkv=1 seqs=37p5,40p30 mask=prefix_lm"),
      Fault::neighbour_prefix, FailClass::contract, "probe.invariance");
}

TEST(InvarianceProbeTest, FindsAWrongLseInTheMerge) {
  expect_fails(case_text("invariance", "bf16", "layout=bshd hq=1 hkv=1 seqs=20x70 mask=full"),
               Fault::lse_log2, FailClass::contract, "probe.invariance.merge");
}

TEST(InvarianceProbeTest, SplitsThatFollowTheBatchAreSaidNotFailed) {
  const Judgement judgement =
      put(case_text("invariance", "f32", "layout=bshd hq=1 hkv=1 seqs=2*40x130 mask=full"),
          Fault::batch_splits);
  EXPECT_EQ(judgement.verdict, Verdict::pass) << text_of(judgement);
  EXPECT_EQ(judgement.answers.at("batch invariant"), "no");
}

TEST(InvarianceProbeTest, ListsRefusedLayouts) {
  const Judgement judgement =
      put(case_text("invariance", "f16", "layout=bshd hq=1 hkv=1 seqs=20 mask=full"), Fault::none,
          "varlen");
  EXPECT_EQ(judgement.verdict, Verdict::pass) << text_of(judgement);
  EXPECT_EQ(judgement.answers.at("layout thd"), "refused: feature.varlen");
}

}  // namespace
}  // namespace fathom::probes_test
