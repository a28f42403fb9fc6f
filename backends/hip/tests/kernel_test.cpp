// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/tests/judged.h"

#include <gtest/gtest.h>

namespace fathom::hip {
namespace {

constexpr Target all_targets[] = {Target::amd, Target::amd_narrow, Target::nvidia};

std::string text_of(const std::string& dtype, int dim, const std::string& rest) {
  const std::string d = std::to_string(dim);
  return "dir=fwd+bwd dtype=" + dtype + " d=" + d + " dv=" + d + " " + rest;
}

void expect_pass(const std::string& text, Target target) {
  Answer answer;
  run(text, target, {}, Way::native, answer);
  EXPECT_EQ(answer.alarms.summary(), "") << text;
  const Judgement judgement = judged(answer);
  EXPECT_TRUE(judgement.verdict == Verdict::pass || judgement.verdict == Verdict::vacuous)
      << text << ", target " << static_cast<int>(target) << ": " << judgement.reason;
}

class TargetTest : public testing::TestWithParam<Target> {};
INSTANTIATE_TEST_SUITE_P(Targets, TargetTest, testing::ValuesIn(all_targets));

TEST_P(TargetTest, PassesAtEveryLengthAroundTheTiles) {
  for (const int n : {1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 300}) {
    const std::string seqs = std::to_string(n);
    expect_pass(text_of("bf16", 64,
                        "layout=bshd hq=2 hkv=1 mask=causal(bottom_right) seqs=" + seqs +
                            " fill=flat seed=1"),
                GetParam());
    expect_pass(text_of("f16", 64,
                        "layout=thd hq=2 hkv=2 mask=prefix_lm seqs=" + seqs + "p" +
                            std::to_string(n / 2) + ",3p1 fill=normal seed=2"),
                GetParam());
  }
}

TEST_P(TargetTest, PassesWithPrefixesAroundTheTiles) {
  for (const int prefix : {0, 1, 63, 64, 65, 127, 128, 129, 149, 150}) {
    expect_pass(text_of("bf16", 64,
                        "layout=thd hq=1 hkv=1 mask=prefix_lm seqs=70p7,150p" +
                            std::to_string(prefix) + ",40p40 fill=flat seed=3"),
                GetParam());
  }
}

TEST_P(TargetTest, PassesUnderEveryMaskAndItsConjunctions) {
  for (const std::string mask :
       {"full", "window(0,0)", "window(20,0)", "window(20,7)", "window(-1,9)", "causal(top_left)",
        "causal(bottom_right)&window(40,-1)", "prefix_lm&window(30,30)", "prefix_lm&window(50,-1)",
        "prefix_lm&causal(bottom_right)"}) {
    const bool prefix = mask.find("prefix") != std::string::npos;
    for (const std::string lengths : {"2*130", "2*40x170", "2*170x40"}) {
      const std::string seqs = lengths + (prefix ? "p25" : "");
      expect_pass(text_of("bf16", 64,
                          "layout=bhsd hq=2 hkv=2 lse=required dlse=true mask=" + mask +
                              " seqs=" + seqs + " fill=flat seed=4"),
                  GetParam());
    }
  }
}

TEST_P(TargetTest, PassesWithGroupsOfHeadsAndEmptySequences) {
  for (const std::string heads : {"hq=2 hkv=1", "hq=8 hkv=1", "hq=6 hkv=3"}) {
    expect_pass(text_of("f16", 64,
                        "layout=thd mask=causal(bottom_right) " + heads +
                            " seqs=0,64,0x30,50x0,17,40x90,0 fill=normal seed=5"),
                GetParam());
  }
}

TEST(KernelTest, PassesWithEveryHeadDimDtypeAndFill) {
  for (const Target target : {Target::amd, Target::nvidia}) {
    for (const int dim : {64, 96, 128, 256}) {
      for (const std::string dtype : {"bf16", "f16"}) {
        for (const std::string fill : {"normal", "peaked", "vmean", "outlier"}) {
          expect_pass(text_of(dtype, dim,
                              "layout=thd hq=2 hkv=1 mask=prefix_lm seqs=150p65,33p8 "
                              "fill=" +
                                  fill + " seed=6"),
                      target);
        }
      }
    }
  }
}

/// Equal bytes of all outputs.
void expect_equal(const Answer& a, const Answer& b) {
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (const auto& [name, seen] : a.outputs) {
    EXPECT_TRUE(seen.tensor.bytes == b.outputs.at(name).tensor.bytes)
        << to_string(a.c) << ' ' << to_string(name);
  }
}

TEST_P(TargetTest, GivesTheSameBitsInEveryOrderOfBlocksWavesAndLanes) {
  const std::string text = text_of("bf16", 64,
                                   "layout=thd hq=4 hkv=2 deterministic=true mask=prefix_lm "
                                   "seqs=150p65,0,200p20 fill=normal seed=7");
  Answer in_order;
  run(text, GetParam(), {}, Way::native, in_order);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Answer shuffled;
    run(text, GetParam(), {.seed = seed, .threads = seed % 2 == 0 ? 2 : 1}, Way::native, shuffled);
    EXPECT_EQ(shuffled.alarms.summary(), "");
    expect_equal(in_order, shuffled);
  }
}

void expect_bits_of_two_passes(const std::string& dtype, int dim, const std::string& seqs,
                               Target target) {
  const std::string d = std::to_string(dim);
  const std::string text = "dir=fwd dtype=" + dtype + " layout=thd hq=2 hkv=1 d=" + d + " dv=" + d +
                           " seqs=" + seqs + " mask=prefix_lm fill=normal seed=8";
  Answer one;
  Answer two;
  run(text, target, {}, Way::native, one);
  run(text, target, {}, Way::two_pass, two);
  EXPECT_EQ(two.alarms.summary(), "");
  expect_equal(one, two);
}

TEST_P(TargetTest, PrefixLmInOnePassHasTheBitsOfTwoPasses) {
  for (const std::string seqs : {"150p65,64p64,80,1p1,300p129", "96p40,150p97,64p10,130p70",
                                 "1x90p30,20x90p80,170x90p30,20x90p90"}) {
    for (const std::string dtype : {"bf16", "f16"}) {
      expect_bits_of_two_passes(dtype, 64, seqs, GetParam());
    }
  }
}

TEST(KernelTest, PrefixLmHasTheBitsOfTwoPassesAtEveryHeadDim) {
  for (const Target target : {Target::amd, Target::nvidia}) {
    for (const int dim : {96, 128, 256}) {
      for (const std::string dtype : {"bf16", "f16"}) {
        expect_bits_of_two_passes(dtype, dim, "70p33,33p33,20,40x50p47", target);
      }
    }
  }
}

}  // namespace
}  // namespace fathom::hip
