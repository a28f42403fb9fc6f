// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/honest_answer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <map>

namespace fathom {
namespace {

constexpr std::array exact_probes{"key_count",        "uniform_weights", "needle",
                                  "boundary_value",   "linearity",       "sums",
                                  "coherent_rounding"};
constexpr std::array tested_dtypes{Dtype::bf16, Dtype::f16, Dtype::f32};

/// 193 keys, causal, grouped heads: four tiles with a ragged last one.
std::string question(std::string_view probe, Dtype dtype,
                     std::string_view rest =
                         "layout=bshd hq=2 hkv=1 d=32 dv=32 seqs=40x193 "
                         "mask=causal(bottom_right)") {
  return fmt::format("dir=fwd+bwd dtype={} {} fill=normal seed=1 probe={}", to_string(dtype), rest,
                     probe);
}

const std::vector<const char*> shapes{
    "layout=bshd hq=1 hkv=1 d=16 dv=16 seqs=3x2 mask=full",
    "layout=bhsd hq=2 hkv=2 d=16 dv=16 seqs=63 mask=causal(top_left)",
    "layout=bshd hq=1 hkv=1 d=32 dv=16 seqs=64 mask=full",
    "layout=bshd hq=4 hkv=2 d=32 dv=32 seqs=2*65 mask=window(20,3)",
    "layout=bshd hq=1 hkv=1 d=64 dv=64 seqs=70x193 mask=full",
    "layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=5x1025 mask=full",
    "layout=thd hq=2 hkv=1 d=24 dv=40 seqs=37p5,64x70,1x193,9x4 mask=prefix_lm",
    "layout=thd hq=2 hkv=1 d=32 dv=32 seqs=60,30x80 mask=document(20,3,30)&causal(bottom_right) "
    "lse=required dlse=true",
    "layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=100x40 mask=causal(bottom_right) scale=0.3",
};

TEST(ExactProbesTest, AnHonestKernelPassesThemAll) {
  for (const char* probe : exact_probes) {
    for (const Dtype dtype : tested_dtypes) {
      for (const char* shape : shapes) {
        const std::string text = question(probe, dtype, shape);
        const Judgement judgement = ask(text, clean(dtype));
        EXPECT_EQ(judgement.verdict, Verdict::pass) << text << "\n" << told(judgement);
        Kernel split = clean(dtype);
        split.split = true;
        const Judgement merged = ask(text, split);
        EXPECT_EQ(merged.verdict, Verdict::pass) << "split: " << text << "\n" << told(merged);
      }
    }
  }
}

TEST(ExactProbesTest, AnFp32KernelIsNotTakenForAnFp64One) {
  for (const char* probe : {"key_count", "uniform_weights", "sums", "coherent_rounding"}) {
    const Judgement judgement = ask(question(probe, Dtype::f64), clean(Dtype::f64));
    EXPECT_EQ(judgement.verdict, Verdict::fail) << probe;
  }
}

TEST(ExactProbesTest, ASingleKeyLeavesNothingToCountButO) {
  const std::map<std::string, Verdict> expected{{"coherent_rounding", Verdict::vacuous}};
  for (const char* probe : exact_probes) {
    const std::string text =
        question(probe, Dtype::bf16, "layout=bshd hq=1 hkv=1 d=16 dv=16 seqs=2x1 mask=full");
    const Judgement judgement = ask(text, clean(Dtype::bf16));
    const auto found = expected.find(probe);
    EXPECT_EQ(judgement.verdict, found == expected.end() ? Verdict::pass : found->second)
        << text << "\n"
        << told(judgement);
  }
}

TEST(ExactProbesTest, AnAnswerOfZeroNeverPasses) {
  Kernel zero = clean(Dtype::bf16);
  zero.zero = true;
  for (const char* probe : exact_probes) {
    for (const char* shape : shapes) {
      const Judgement judgement = ask(question(probe, Dtype::bf16, shape), zero);
      EXPECT_NE(judgement.verdict, Verdict::pass) << probe << " " << shape;
    }
  }
  Kernel dead = clean(Dtype::bf16);
  dead.zero_gradients = true;
  for (const char* probe : {"linearity", "sums"}) {
    EXPECT_NE(ask(question(probe, Dtype::bf16), dead).verdict, Verdict::pass) << probe;
  }
}

TEST(ExactProbesTest, WhatCannotBeAskedIsVacuous) {
  const std::string empty = "layout=thd hq=1 hkv=1 d=16 dv=16 seqs=3x0,0x4 mask=full";
  for (const char* probe : exact_probes) {
    const Judgement judgement = ask(question(probe, Dtype::bf16, empty), clean(Dtype::bf16));
    EXPECT_EQ(judgement.verdict, Verdict::vacuous) << probe;
    EXPECT_FALSE(judgement.reason.empty()) << probe;
  }
  const std::string forward =
      "dir=fwd dtype=bf16 layout=bshd hq=1 hkv=1 d=16 dv=16 seqs=8 "
      "mask=full fill=normal seed=1 probe=sums";
  EXPECT_EQ(ask(forward, clean(Dtype::bf16)).verdict, Verdict::vacuous);
}

TEST(ExactProbesTest, WithoutAnLseTheKeysCannotBeCounted) {
  Kernel kernel = clean(Dtype::bf16);
  kernel.gives_lse = false;
  for (const char* probe : {"key_count", "coherent_rounding"}) {
    EXPECT_EQ(ask(question(probe, Dtype::bf16), kernel).verdict, Verdict::unsupported) << probe;
  }
  for (const char* probe : {"uniform_weights", "needle", "boundary_value", "linearity", "sums"}) {
    EXPECT_EQ(ask(question(probe, Dtype::bf16), kernel).verdict, Verdict::pass) << probe;
  }
}

struct Fault {
  const char* name;
  std::vector<const char*> found_by;
  std::function<void(Kernel&, Dtype)> plant;
  std::vector<Dtype> dtypes = {Dtype::bf16, Dtype::f16, Dtype::f32};
  const char* shape = "layout=bshd hq=2 hkv=1 d=32 dv=32 seqs=40x193 mask=causal(bottom_right)";
};

constexpr const char* full = "layout=bshd hq=1 hkv=1 d=64 dv=64 seqs=40x193 mask=full";
constexpr const char* long_keys = "layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=2x16385 mask=full";
// 1/16385 lies so close to a power of two that bf16 holds it well.
constexpr const char* odd_keys = "layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=2x12289 mask=full";
constexpr const char* window = "layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=193 mask=window(40,0)";

KeyRange one_more(KeyRange keys, Index /*row*/, Index /*all*/) {
  return {keys.begin, keys.end + 1};
}
KeyRange one_fewer(KeyRange keys, Index /*row*/, Index /*all*/) {
  return {keys.begin, keys.end - 1};
}

std::vector<Fault> faults() {
  const std::vector<Dtype> halves{Dtype::bf16, Dtype::f16};
  const std::vector<Dtype> only_bf16{Dtype::bf16};
  const std::vector<Dtype> only_f32{Dtype::f32};
  const auto tf32 = [](double x) {
    const double step = ulp(Dtype::f32, x) * 8192;
    return std::nearbyint(x / step) * step;
  };
  return {
      {"one key more",
       {"key_count", "boundary_value", "needle"},
       [](Kernel& k, Dtype) { k.see = one_more; }},
      {"one key fewer",
       {"key_count", "boundary_value", "needle"},
       [](Kernel& k, Dtype) { k.see = one_fewer; }},
      {"one key fewer in one row",
       {"key_count", "boundary_value", "needle"},
       [](Kernel& k, Dtype) {
         k.see = [](KeyRange keys, Index row, Index) {
           return row == 17 ? KeyRange{keys.begin, keys.end - 1} : keys;
         };
       }},
      {"one key more behind a window",
       {"key_count", "boundary_value", "needle"},
       [](Kernel& k, Dtype) {
         k.see = [](KeyRange keys, Index, Index) { return KeyRange{keys.begin - 1, keys.end}; };
       },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       window},
      {"one key of 16385 lost",
       {"key_count"},
       [](Kernel& k, Dtype) { k.see = one_fewer; },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       long_keys},
      {"LSE in base 2",
       {"key_count", "coherent_rounding"},
       [](Kernel& k, Dtype) { k.lse_factor = 1.4426950408889634; }},
      {"LSE of nothing but the length",
       {"key_count"},
       [](Kernel& k, Dtype) { k.constant_lse = true; },
       {Dtype::bf16},
       full},
      {"key 64 read for 63",
       {"needle", "uniform_weights", "sums"},
       [](Kernel& k, Dtype) { k.key_read = [](Index j) { return j == 63 ? 64 : j; }; }},
      {"rows of V swapped",
       {"needle"},
       [](Kernel& k, Dtype) { k.value_read = [](Index j) { return j == 192 ? j : j ^ 1; }; }},
      {"the other KV head",
       {"needle", "uniform_weights", "sums"},
       [](Kernel& k, Dtype) { k.kv_head = [](Index h) { return h % 2; }; },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       "layout=bshd hq=4 hkv=2 d=32 dv=32 seqs=70 mask=causal(top_left)"},
      {"acc_bf16", {"uniform_weights"}, [](Kernel& k, Dtype) { k.acc = rounded_to(Dtype::bf16); }},
      {"acc_bf16, 16385 keys",
       {"uniform_weights"},
       [](Kernel& k, Dtype) { k.acc = rounded_to(Dtype::bf16); },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       long_keys},
      {"acc_fp16",
       {"uniform_weights", "linearity"},
       [](Kernel& k, Dtype) { k.acc = rounded_to(Dtype::f16); }},
      {"acc_fp16, 16385 keys",
       {"uniform_weights", "linearity"},
       [](Kernel& k, Dtype) { k.acc = rounded_to(Dtype::f16); },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       long_keys},
      {"1/l in bf16",
       {"uniform_weights"},
       [](Kernel& k, Dtype) { k.inv_l = rounded_to(Dtype::bf16); }},
      {"1/l in bf16, 12289 keys",
       {"uniform_weights"},
       [](Kernel& k, Dtype) { k.inv_l = rounded_to(Dtype::bf16); },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       odd_keys},
      {"split results in bf16",
       {"uniform_weights"},
       [](Kernel& k, Dtype) { k.split = true, k.partial = rounded_to(Dtype::bf16); }},
      {"split results in bf16, 16385 keys",
       {"uniform_weights"},
       [](Kernel& k, Dtype) { k.split = true, k.partial = rounded_to(Dtype::bf16); },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       long_keys},
      {"TF32 operands",
       {"uniform_weights"},
       [tf32](Kernel& k, Dtype) { k.operand = tf32; },
       only_f32},
      {"TF32 operands, 16385 keys",
       {"uniform_weights"},
       [tf32](Kernel& k, Dtype) { k.operand = tf32; },
       only_f32,
       long_keys},
      {"O truncated", {"uniform_weights"}, [](Kernel& k, Dtype t) { k.out = cut_to(t); }, halves},
      {"a stray addition",
       {"linearity", "boundary_value"},
       [](Kernel& k, Dtype) { k.stray = 0.05; }},
      {"dq_acc_bf16", {"sums"}, [](Kernel& k, Dtype) { k.dq_acc = rounded_to(Dtype::bf16); }},
      {"dq_acc_bf16, full",
       {"sums"},
       [](Kernel& k, Dtype) { k.dq_acc = rounded_to(Dtype::bf16); },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       full},
      {"dq_acc_fp16", {"sums"}, [](Kernel& k, Dtype) { k.dq_acc = rounded_to(Dtype::f16); }},
      {"dq_acc_fp16 overflows",
       {"linearity"},
       [](Kernel& k, Dtype) { k.dq_acc = rounded_to(Dtype::f16); },
       {Dtype::bf16, Dtype::f32}},
      {"dkdv_acc_bf16",
       {"sums"},
       [](Kernel& k, Dtype) { k.dkv_acc = rounded_to(Dtype::bf16); },
       {Dtype::bf16, Dtype::f16, Dtype::f32},
       "layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=193 mask=full"},
      {"dkdv_acc_bf16, one tile of queries a head",
       {"sums"},
       [](Kernel& k, Dtype) { k.dkv_acc = rounded_to(Dtype::f16); },
       only_f32},
      {"P and dS truncated", {"sums"}, [](Kernel& k, Dtype t) { k.p = k.ds = cut_to(t); }, halves},
      {"dS from bf16 dP", {"sums"}, [](Kernel& k, Dtype) { k.dp = rounded_to(Dtype::bf16); }},
      {"delta in bf16", {"sums"}, [](Kernel& k, Dtype) { k.delta = rounded_to(Dtype::bf16); }},
      {"delta of the next row", {"sums"}, [](Kernel& k, Dtype) { k.delta_shift = 1; }},
      {"delta omitted", {"sums"}, [](Kernel& k, Dtype) { k.omits_delta = true; }},
      {"a tile of keys missing in dQ", {"sums"}, [](Kernel& k, Dtype) { k.dropped_tile = 2; }},
      {"l from rounded P",
       {"coherent_rounding"},
       [](Kernel& k, Dtype t) { k.l_term = rounded_to(t); },
       halves},
      {"l from rounded P, full",
       {"coherent_rounding"},
       [](Kernel& k, Dtype t) { k.l_term = rounded_to(t); },
       halves,
       full},
  };
}

TEST(ExactProbesTest, EveryPlantedFaultIsFound) {
  for (const Fault& fault : faults()) {
    for (const char* probe : fault.found_by) {
      for (const Dtype dtype : fault.dtypes) {
        Kernel kernel = clean(dtype);
        fault.plant(kernel, dtype);
        const Judgement judgement = ask(question(probe, dtype, fault.shape), kernel);
        const bool constant = std::string_view(fault.name) == "LSE of nothing but the length";
        EXPECT_EQ(judgement.verdict, constant ? Verdict::vacuous : Verdict::fail)
            << probe << " " << to_string(dtype) << " " << fault.name << "\n"
            << told(judgement);
        for (const Finding& finding : judgement.findings) {
          EXPECT_TRUE(finding.worst.has_value()) << finding.message;
          EXPECT_EQ(finding.check.rfind("probe." + std::string(probe), 0), 0U) << finding.check;
        }
      }
    }
  }
}

TEST(ExactProbesTest, TheCleanKernelPassesAtTheLengthsOfTheFaults) {
  for (const char* probe : {"key_count", "uniform_weights", "linearity"}) {
    for (const Dtype dtype : tested_dtypes) {
      const Judgement judgement = ask(question(probe, dtype, long_keys), clean(dtype));
      EXPECT_EQ(judgement.verdict, Verdict::pass) << probe << " " << told(judgement);
    }
  }
}

TEST(KeyCountTest, SaysHowManyKeysTheRowCounts) {
  Kernel kernel = clean(Dtype::bf16);
  kernel.see = [](KeyRange keys, Index row, Index) {
    return row == 17 ? KeyRange{keys.begin, keys.end + 1} : keys;
  };
  const Judgement judgement =
      ask(question("key_count", Dtype::bf16,
                   "layout=bshd hq=1 hkv=1 d=16 dv=16 seqs=80 mask=causal(top_left)"),
          kernel);
  EXPECT_NE(judgement.reason.find("row 17 of head 0 of sequence 0 counts 19 keys"),
            std::string::npos)
      << judgement.reason;
  EXPECT_NE(judgement.reason.find("18 are visible"), std::string::npos) << judgement.reason;
}

TEST(NeedleTest, NamesTheKeyThatWasRead) {
  Kernel kernel = clean(Dtype::f16);
  kernel.key_read = [](Index j) { return j == 63 ? 64 : j; };
  const Judgement judgement =
      ask(question("needle", Dtype::f16,
                   "layout=bshd hq=2 hkv=1 d=32 dv=16 seqs=100 mask=causal(top_left)"),
          kernel);
  EXPECT_EQ(judgement.verdict, Verdict::fail);
  EXPECT_NE(told(judgement).find("63"), std::string::npos) << told(judgement);
}

TEST(UniformWeightsTest, ADeclaredNarrowAccumulatorWidensTheLimit) {
  Kernel kernel = clean(Dtype::bf16);
  kernel.acc = rounded_to(Dtype::bf16);
  Arithmetic declared = flash_arithmetic(Dtype::bf16);
  declared.acc = Accumulator::bf16;
  const Judgement judgement = ask(question("uniform_weights", Dtype::bf16), kernel, declared);
  EXPECT_EQ(judgement.verdict, Verdict::pass) << told(judgement);
}

}  // namespace
}  // namespace fathom
