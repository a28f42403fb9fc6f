// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/relations_support.h"

namespace fathom::probes_test {
namespace {

TEST(HiddenChangeProbeTest, HonestKernelsPass) {
  expect_honest_passes("hidden_change");
}

TEST(HiddenChangeProbeTest, ZerosNeverPass) {
  expect_zeros_never_pass("hidden_change");
}

TEST(HiddenChangeProbeTest, FindsLeaksOfAnySize) {
  for (const std::string dtype : {"bf16", "f16", "f32"}) {
    const std::string text = case_text(
        "hidden_change", dtype, "layout=bshd hq=1 hkv=1 seqs=33x70 mask=causal(bottom_right)");
    expect_fails(text, Fault::leak, FailClass::contract, "probe.hidden_change");
  }
}

TEST(HiddenChangeProbeTest, FindsTheNextSequence) {
  expect_fails(case_text("hidden_change", "bf16", "layout=thd hq=2 hkv=1 seqs=20,33x70 mask=full"),
               Fault::reads_past_end, FailClass::contract, "probe.hidden_change");
}

TEST(HiddenChangeProbeTest, FindsThePrefixOfTheNeighbour) {
  expect_fails(
      case_text("hidden_change", "bf16", "layout=thd hq=1 hkv=1 seqs=37p5,40p30 mask=prefix_lm"),
      Fault::neighbour_prefix, FailClass::contract, "probe.hidden_change");
}

TEST(HiddenChangeProbeTest, FindsAWrongHeadMap) {
  expect_fails(case_text("hidden_change", "bf16", "layout=bshd hq=4 hkv=2 seqs=20 mask=full"),
               Fault::head_modulo, FailClass::contract, "probe.hidden_change");
}

TEST(HiddenChangeProbeTest, FindsIgnoredMasks) {
  const std::string windowed =
      case_text("hidden_change", "f16", "layout=bshd hq=1 hkv=1 seqs=66 mask=window(5,3)");
  expect_fails(windowed, Fault::window_ignored, FailClass::contract, "probe.hidden_change");
  expect_fails(windowed, Fault::window_plus_one, FailClass::contract, "probe.hidden_change");
  const std::string causal = case_text(
      "hidden_change", "f16", "layout=bshd hq=1 hkv=1 seqs=33x70 mask=causal(bottom_right)");
  expect_fails(causal, Fault::causal_ignored, FailClass::contract, "probe.hidden_change");
}

TEST(HiddenChangeProbeTest, FindsGradientsOfKeysThatNobodySees) {
  expect_fails(
      case_text("hidden_change", "bf16", "layout=bshd hq=1 hkv=1 seqs=33x70 mask=causal(top_left)"),
      Fault::dk_leak, FailClass::contract, "probe.hidden_change.zero");
}

TEST(HiddenChangeProbeTest, IsVacuousWhereNothingIsHidden) {
  const Judgement judgement =
      put(case_text("hidden_change", "bf16", "layout=bshd hq=2 hkv=1 seqs=20 mask=full"));
  EXPECT_EQ(judgement.verdict, Verdict::vacuous);
}

}  // namespace
}  // namespace fathom::probes_test
