// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/relations_support.h"

namespace fathom::probes_test {
namespace {

std::string causal_case(const std::string& dtype) {
  return case_text("honesty", dtype, "layout=bshd hq=2 hkv=1 seqs=2*40 mask=causal(bottom_right)");
}

std::string answer_to(const std::string& text, const std::string& argument, Fault fault,
                      const std::string& refuses = "") {
  const Judgement judgement = put(text, fault, refuses);
  const auto found = judgement.answers.find("argument " + argument);
  return found == judgement.answers.end() ? text_of(judgement) : found->second;
}

TEST(HonestyProbeTest, HonestKernelsHonourEveryArgument) {
  expect_honest_passes("honesty");
  for (const std::string& shape : shapes()) {
    const Judgement judgement = put(case_text("honesty", "bf16", shape));
    for (const auto& [question, answer] : judgement.answers) {
      EXPECT_EQ(answer, "honoured") << shape << ": " << question;
    }
  }
}

TEST(HonestyProbeTest, ZerosNeverPass) {
  expect_zeros_never_pass("honesty");
}

TEST(HonestyProbeTest, NamesTheArgumentThatIsIgnored) {
  for (const std::string dtype : {"bf16", "f32"}) {
    const std::string text = causal_case(dtype);
    EXPECT_EQ(answer_to(text, "causal", Fault::causal_ignored), "ignored");
    EXPECT_EQ(answer_to(text, "causal", Fault::always_causal), "ignored");
    EXPECT_EQ(answer_to(text, "causal corner", Fault::top_left_always), "ignored");
    EXPECT_EQ(answer_to(text, "window", Fault::window_ignored), "ignored");
    EXPECT_EQ(answer_to(text, "scale", Fault::scale_ignored), "ignored");
    EXPECT_EQ(answer_to(text, "dlse", Fault::dlse_ignored), "ignored");
    EXPECT_EQ(answer_to(text, "sequence lengths", Fault::cu_seqlens_ignored), "ignored");
    EXPECT_EQ(answer_to(text, "lse", Fault::lse_missing), "ignored");
    EXPECT_EQ(answer_to(text + " deterministic=true", "deterministic", Fault::unordered_dq),
              dtype == "f32" ? "ignored" : answer_to(text, "deterministic", Fault::unordered_dq));
  }
  const std::string prefix =
      case_text("honesty", "bf16", "layout=thd hq=1 hkv=1 seqs=37p5,40p30 mask=prefix_lm");
  EXPECT_EQ(answer_to(prefix, "prefix length", Fault::prefix_ignored), "ignored");
}

TEST(HonestyProbeTest, IgnoredBreaksTheContract) {
  expect_fails(causal_case("bf16"), Fault::window_ignored, FailClass::contract,
               "probe.honesty.ignored");
}

TEST(HonestyProbeTest, WrongIsNotIgnored) {
  const Judgement judgement = put(causal_case("bf16"), Fault::window_plus_one);
  EXPECT_EQ(judgement.verdict, Verdict::fail);
  EXPECT_EQ(judgement.answers.at("argument window"), "wrong") << text_of(judgement);
}

TEST(HonestyProbeTest, RefusedIsHonest) {
  const Judgement judgement = put(causal_case("bf16"), Fault::window_ignored, "mask.window");
  EXPECT_EQ(judgement.verdict, Verdict::pass) << text_of(judgement);
  EXPECT_EQ(judgement.answers.at("argument window"), "refused: feature.mask.window");
}

}  // namespace
}  // namespace fathom::probes_test
