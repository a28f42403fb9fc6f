// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/relations_support.h"

namespace fathom::probes_test {
namespace {

TEST(EdgesProbeTest, HonestKernelsPass) {
  expect_honest_passes("edges");
}

TEST(EdgesProbeTest, ZerosNeverPass) {
  expect_zeros_never_pass("edges");
}

TEST(EdgesProbeTest, FindsTailsAndEmptyRows) {
  const std::string text =
      case_text("edges", "bf16", "layout=bshd hq=2 hkv=1 seqs=64 mask=causal(bottom_right)");
  expect_fails(text, Fault::tail_unmasked, FailClass::accuracy, "probe.edges.lse");
  expect_fails(text, Fault::empty_row_nan, FailClass::contract, "probe.edges.exact_zeros");
  expect_fails(text, Fault::empty_lse_zero, FailClass::contract, "probe.edges.lse.empty_row");
  expect_fails(text, Fault::top_left_always, FailClass::contract, "probe.edges.exact_zeros");
}

TEST(EdgesProbeTest, NamesTheLengths) {
  const Judgement judgement = put(
      case_text("edges", "f16", "layout=bshd hq=1 hkv=1 seqs=64 mask=full"), Fault::tail_unmasked);
  ASSERT_FALSE(judgement.findings.empty());
  EXPECT_EQ(judgement.findings[0].message.rfind("1x1: ", 0), 0U) << judgement.findings[0].message;
  EXPECT_EQ(judgement.answers.at("64x64"), "right");
}

TEST(EdgesProbeTest, ListsRefusals) {
  const Judgement judgement = put(
      case_text("edges", "f16", "layout=bshd hq=1 hkv=1 seqs=64 mask=full"), Fault::none, "varlen");
  EXPECT_EQ(judgement.verdict, Verdict::pass);
  EXPECT_EQ(judgement.answers.at("empty sequences inside a batch"), "refused: feature.varlen");
}

}  // namespace
}  // namespace fathom::probes_test
