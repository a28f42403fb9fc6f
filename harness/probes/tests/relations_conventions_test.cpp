// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/relations_support.h"

namespace fathom::probes_test {
namespace {

std::string question() {
  return case_text("conventions", "bf16", "layout=bshd hq=4 hkv=2 seqs=5 mask=full");
}

std::string answer_to(const std::string& what, Fault fault) {
  const Judgement judgement = put(question(), fault);
  const auto found = judgement.answers.find(what);
  return found == judgement.answers.end() ? text_of(judgement) : found->second;
}

TEST(ConventionsProbeTest, HonestKernelsPass) {
  expect_honest_passes("conventions");
}

TEST(ConventionsProbeTest, ZerosNeverPass) {
  expect_zeros_never_pass("conventions");
}

TEST(ConventionsProbeTest, NamesWhatItReads) {
  const Judgement judgement = put(question());
  EXPECT_EQ(judgement.answers.at("causal(bottom_right) 2x5"), "bottom_right");
  EXPECT_EQ(judgement.answers.at("causal(top_left) 5x2"), "top_left");
  EXPECT_EQ(judgement.answers.at("causal(bottom_right) 113x203"), "bottom_right");
  EXPECT_EQ(judgement.answers.at("window(-1,0) 7x7"), "causal");
  EXPECT_EQ(judgement.answers.at("window(2,0) 7x7"), "W+1 keys");
  EXPECT_EQ(judgement.answers.at("LSE base"), "ln");
  EXPECT_EQ(judgement.answers.at("LSE layout"), "(B,H,S)");
  EXPECT_EQ(judgement.answers.at("LSE of an empty row"), "-inf");
  EXPECT_EQ(judgement.answers.at("O of an empty row"), "0");
  EXPECT_EQ(judgement.answers.at("default scale"), "1/sqrt(d)");
}

TEST(ConventionsProbeTest, NamesTheOtherConvention) {
  EXPECT_EQ(answer_to("causal(bottom_right) 2x5", Fault::top_left_always), "top_left");
  EXPECT_EQ(answer_to("causal(bottom_right) 2x5", Fault::causal_ignored), "full");
  EXPECT_EQ(answer_to("window(2,0) 7x7", Fault::window_plus_one), "W+2 keys on the left");
  EXPECT_EQ(answer_to("window(2,-1) 7x7", Fault::minus_one_literal), "-1 as a finite side");
  EXPECT_EQ(answer_to("LSE base", Fault::lse_log2), "log2");
  EXPECT_EQ(answer_to("LSE layout", Fault::lse_transposed), "(B,S,H)");
  EXPECT_EQ(answer_to("LSE of an empty row", Fault::empty_lse_zero), "0");
  EXPECT_EQ(answer_to("O of an empty row", Fault::empty_row_nan), "nan");
}

TEST(ConventionsProbeTest, WhatIsNotDeclaredFails) {
  expect_fails(question(), Fault::top_left_always, FailClass::contract, "probe.conventions.mask");
  expect_fails(question(), Fault::lse_log2, FailClass::contract, "probe.conventions.lse_base");
  expect_fails(question(), Fault::lse_transposed, FailClass::contract,
               "probe.conventions.lse_layout");
  expect_fails(question(), Fault::empty_lse_zero, FailClass::contract,
               "probe.conventions.empty_row_lse");
  expect_fails(question(), Fault::empty_row_nan, FailClass::contract,
               "probe.conventions.empty_row");
  expect_fails(case_text("conventions", "bf16", "layout=bshd hq=1 hkv=1 seqs=5 mask=full"),
               Fault::scale_padded, FailClass::contract, "probe.conventions.scale");
}

TEST(ConventionsProbeTest, RefusalsAreAnswers) {
  const Judgement judgement = put(question(), Fault::none, "mask.window");
  EXPECT_EQ(judgement.verdict, Verdict::pass) << text_of(judgement);
  EXPECT_EQ(judgement.answers.at("window(2,0) 7x7"), "refused: feature.mask.window");
}

}  // namespace
}  // namespace fathom::probes_test
