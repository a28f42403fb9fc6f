// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/relations_support.h"

namespace fathom::probes_test {
namespace {

TEST(RepeatProbeTest, HonestKernelsPass) {
  expect_honest_passes("repeat");
}

TEST(RepeatProbeTest, ZerosNeverPass) {
  expect_zeros_never_pass("repeat");
}

TEST(RepeatProbeTest, FindsARaceInOneOfTenRuns) {
  const std::string text =
      case_text("repeat", "bf16", "layout=bshd hq=1 hkv=1 seqs=40x130 mask=full");
  expect_fails(text, Fault::race, FailClass::nondeterministic, "probe.repeat");
}

TEST(RepeatProbeTest, FindsTheOutputsOfAnEarlierCall) {
  for (const std::string& shape : shapes()) {
    expect_fails(case_text("repeat", "f16", shape), Fault::stale_output,
                 FailClass::nondeterministic, "probe.repeat.stale");
  }
}

TEST(RepeatProbeTest, UnorderedGradientsAreAllowedUnlessDeterministicIsAskedFor) {
  const std::string text =
      case_text("repeat", "f32", "layout=bshd hq=1 hkv=1 seqs=40x70 mask=full");
  const Judgement allowed = put(text, Fault::unordered_dq);
  EXPECT_EQ(allowed.verdict, Verdict::pass) << text_of(allowed);
  EXPECT_NE(allowed.answers.at("dq repeats"), "bitwise");
  expect_fails(
      case_text("repeat", "f32", "layout=bshd hq=1 hkv=1 seqs=40x70 mask=full deterministic=true"),
      Fault::unordered_dq, FailClass::nondeterministic, "probe.repeat");
}

}  // namespace
}  // namespace fathom::probes_test
