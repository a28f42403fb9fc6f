// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/relations_support.h"

namespace fathom::probes_test {
namespace {

TEST(PoisonProbeTest, HonestKernelsPass) {
  expect_honest_passes("poison");
}

TEST(PoisonProbeTest, ZerosNeverPass) {
  expect_zeros_never_pass("poison");
}

TEST(PoisonProbeTest, FindsReadsPastTheEnd) {
  const std::string text =
      case_text("poison", "bf16", "layout=bshd hq=2 hkv=1 seqs=40x70 mask=full");
  expect_fails(text, Fault::reads_past_end, FailClass::out_of_bounds, "probe.poison");
}

TEST(PoisonProbeTest, FindsATailMultipliedByZero) {
  for (const std::string dtype : {"bf16", "f16", "f32"}) {
    const std::string text =
        case_text("poison", dtype, "layout=thd hq=1 hkv=1 seqs=20,40x70 mask=causal(bottom_right)");
    expect_fails(text, Fault::tail_times_zero, FailClass::out_of_bounds, "probe.poison");
  }
}

TEST(PoisonProbeTest, NamesTheFirstElementThatDiffers) {
  const Judgement judgement =
      put(case_text("poison", "bf16", "layout=bshd hq=2 hkv=2 seqs=40x70 mask=full"),
          Fault::reads_past_end);
  ASSERT_FALSE(judgement.findings.empty());
  ASSERT_TRUE(judgement.findings[0].worst);
  EXPECT_EQ(judgement.findings[0].worst->tensor, "o");
}

}  // namespace
}  // namespace fathom::probes_test
