// SPDX-License-Identifier: Apache-2.0
#include "cases/suite.h"

#include "cases/tests/planted_file.h"
#include "harness/core/cost.h"
#include "harness/core/features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace fathom {
namespace {

std::filesystem::path shipped(const std::string& name) {
  return std::filesystem::path(FATHOM_SOURCE_DIR) / "cases" / (name + ".json");
}

/// A suite of one block; `problem` is completed by defaults.
std::string suite_of(const std::string& problem, const std::string& rest = "") {
  return R"({"suite": "s", "why": "w", "defaults": {"dir": "fwd", "dtype": "f32", "layout": "bshd",
             "hq": 1, "hkv": 1, "d": 8, "dv": 8, "mask": "full"},
             "cases": [{"why": "w", "problem": )" +
         problem + rest + "}]}";
}

std::string complaint(const std::string& text) {
  return complaint_about(text, load_suite);
}
std::string problem_complaint(const std::string& problem) {
  return complaint(suite_of(problem));
}

Suite load(const std::string& text) {
  const PlantedFile file(text);
  return load_suite(file.path());
}

std::vector<std::string> texts(const Suite& suite) {
  std::vector<std::string> list;
  for (const Case& c : suite.cases) list.push_back(to_string(c));
  return list;
}

TEST(SuiteTest, ListsAreAxesAndTheLastOneVariesFastest) {
  const Suite suite = load(suite_of(R"({"seqs": "4", "dtype": ["f32", "bf16"]})",
                                    R"(, "fill": ["normal", "flat"], "seed": [7, 8])"));
  const std::string f32 = "dir=fwd dtype=f32 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=4 mask=full";
  const std::string bf16 = "dir=fwd dtype=bf16 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=4 mask=full";
  EXPECT_EQ(texts(suite),
            (std::vector<std::string>{f32 + " fill=normal seed=7", f32 + " fill=normal seed=8",
                                      f32 + " fill=flat seed=7", f32 + " fill=flat seed=8",
                                      bf16 + " fill=normal seed=7", bf16 + " fill=normal seed=8",
                                      bf16 + " fill=flat seed=7", bf16 + " fill=flat seed=8"}));
}

TEST(SuiteTest, ACaseKnowsItsSuiteItsTagsAndItsReason) {
  const Suite suite = load(suite_of(R"({"seqs": "4"})", R"(, "tags": ["a", "b"])"));
  ASSERT_EQ(suite.cases.size(), 1u);
  EXPECT_EQ(suite.cases[0].suite, "s");
  EXPECT_EQ(suite.cases[0].why, "w");
  EXPECT_EQ(suite.cases[0].tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(suite.cases[0].fill, Fill::normal);
  EXPECT_EQ(suite.cases[0].seed, 1u);
}

TEST(SuiteTest, DefaultsMayBeAxesAndABlockOverridesThem) {
  const Suite suite = load(R"({"suite": "s", "why": "w",
      "defaults": {"dir": ["fwd", "fwd+bwd"], "dtype": "f32", "layout": "bshd", "hq": 1, "hkv": 1,
                   "d": 8, "dv": 8, "mask": "full"},
      "cases": [{"why": "w", "problem": {"seqs": "4"}},
                {"why": "w", "problem": {"seqs": "5", "dir": "fwd"}}]})");
  EXPECT_EQ(suite.cases.size(), 3u);
}

TEST(SuiteTest, ReadsPublishedFigures) {
  const std::string figure = R"("published": [{"tensors": ["dq", "dk"], "dtype": "f32",
      "what": "max_abs", "low": 0, "high": 5e-6, "compares": "a with b", "source": "https://x"}],)";
  std::string text = suite_of(R"({"seqs": "4"})");
  text.insert(1, figure);
  const Suite suite = load(text);
  EXPECT_EQ(suite.published,
            (std::vector<PublishedFigure>{
                {{"dq", "dk"}, "f32", "max_abs", 0, 5e-6, "a with b", "https://x"}}));
}

TEST(SuiteTest, ABadProblemGetsOneSentenceWithItsKeyPath) {
  EXPECT_EQ(problem_complaint(R"({"seqs": "4", "dtyp": "f32"})"),
            " cases[0].problem: unknown key 'dtyp' (did you mean 'dtype'?)");
  EXPECT_EQ(problem_complaint(R"({"seqs": "4", "dtype": ["f32", "f23"]})"),
            " cases[0].problem.dtype[1]: dtype is 'f23'; it must be one of f64, f32, f16, bf16");
  EXPECT_EQ(problem_complaint(R"({"seqs": "4", "hq": "2"})"),
            " cases[0].problem.hq: must be a number, not the string '2'");
  EXPECT_EQ(problem_complaint(R"({"seqs": "4", "mask": []})"),
            " cases[0].problem.mask: is an empty list; an axis needs a value");
  EXPECT_EQ(problem_complaint(R"({"dtype": "f32"})"), " cases[0].problem: key 'seqs' is missing");
  EXPECT_EQ(problem_complaint(R"([1])"), " cases[0].problem: must be an object, not an array");
}

TEST(SuiteTest, AnImpossibleShapeGetsOneSentenceWithItsKeyPath) {
  const auto starts = [](const std::string& problem, const std::string& want) {
    const std::string said = problem_complaint(problem);
    EXPECT_TRUE(said.starts_with(want)) << said;
  };
  starts(R"({"seqs": "4", "hq": 3, "hkv": 2})", " cases[0].problem: hkv=2 does not divide hq=3");
  starts(R"({"seqs": "4,5"})", " cases[0].problem: a dense layout needs equal lengths");
  starts(R"({"seqs": "4p5", "mask": "prefix_lm"})", " cases[0].problem: seqs holds a prefix of 5");
  starts(R"({"seqs": "4", "d": 0})", " cases[0].problem.d: d is '0'; it must be");
  starts(R"j({"seqs": "4", "mask": "casual(top_left)"})j",
         " cases[0].problem.mask: mask term 'casual' is unknown (did you mean 'causal'?)");
}

TEST(SuiteTest, SizesThatOverflowAreRefusedBeforeAnythingIsAllocated) {
  for (const std::string problem : {
           R"({"seqs": "9223372036854775807"})",
           R"({"seqs": "9223372036854775807x9223372036854775807,1", "layout": "thd"})",
           R"({"seqs": "99999999999999999999"})",
           R"({"seqs": "9223372036854775807*1"})",
           R"({"seqs": "4", "d": 18446744073709551615})",
           R"({"seqs": "4", "d": 1e300})",
           R"({"seqs": "1099511627776", "hq": 1048576, "d": 1048576})",
       }) {
    EXPECT_TRUE(problem_complaint(problem).starts_with(" cases[0].problem")) << problem;
  }
}

TEST(SuiteTest, ExpansionIsCountedBeforeItHappens) {
  std::string axis = "[1";
  for (int i = 2; i <= 1000; ++i) axis += "," + std::to_string(i);
  axis += "]";
  const std::string problem = R"({"seqs": "4", "d": )" + axis + R"(, "dv": )" + axis +
                              R"(, "hq": )" + axis + R"(, "hkv": )" + axis + "}";
  EXPECT_EQ(problem_complaint(problem),
            " cases[0]: expands to more cases than a suite may hold (100000)");
}

TEST(SuiteTest, TheCapHoldsForTheWholeFile) {
  std::string seeds = "[0";
  for (int i = 1; i < 60'000; ++i) seeds += "," + std::to_string(i);
  const std::string block = R"({"why": "w", "problem": {"seqs": "4"}, "seed": )" + seeds + "]}";
  std::string text = suite_of(R"({"seqs": "5"})");
  text.insert(text.size() - 2, ", " + block + ", " + block);
  EXPECT_EQ(complaint(text), " cases[2]: expands to more cases than a suite may hold (100000)");
}

TEST(SuiteTest, BadBlocksAndFilesGetOneSentenceEach) {
  const std::string good = R"({"seqs": "4"})";
  EXPECT_EQ(complaint(suite_of(good, R"(, "fil": "flat")")),
            " cases[0]: unknown key 'fil' (did you mean 'fill'?)");
  EXPECT_EQ(complaint(suite_of(good, R"(, "fill": ["flat", "flatt"])")),
            " cases[0].fill[1]: unknown fill 'flatt' (did you mean 'flat'?)");
  EXPECT_EQ(complaint(suite_of(good, R"(, "seed": [1, -1])")),
            " cases[0].seed[1]: must be a whole number from 0 to 2^64-1, not the number -1");
  EXPECT_EQ(complaint(suite_of(good, R"(, "tags": "a")")),
            " cases[0].tags: must be an array, not the string 'a'");
  EXPECT_TRUE(
      complaint(suite_of(R"({"seqs": "4", "seqs": "5"})")).ends_with("duplicate key 'seqs'"));
  EXPECT_EQ(complaint(R"({"suite": "s", "why": "w", "cases": []})"), " cases: is empty");
  EXPECT_EQ(complaint(R"({"suite": "s", "why": "w"})"), " key 'cases' is missing");
  EXPECT_EQ(complaint(R"({"suite": "../s", "why": "w", "cases": [1]})"),
            " cases[0]: must be an object, not the number 1");
  EXPECT_EQ(complaint("[]"), " must be an object, not an array");
  std::string renamed = suite_of(good);
  renamed.replace(renamed.find(R"("s")"), 3, R"("../s")");
  EXPECT_EQ(complaint(renamed), " suite: is '../s'; a name has 1 to 64 of a-z, 0-9, _ and -");
}

TEST(SuiteTest, TheSameCaseTwiceIsRefusedBecauseItsNameWouldNotBeUnique) {
  std::string text = suite_of(R"({"seqs": "4"})");
  text.insert(text.size() - 2, R"(, {"why": "again", "problem": {"seqs": "1*4"}})");
  EXPECT_EQ(complaint(text),
            " cases[1]: holds a case that cases[0] has already: dir=fwd dtype=f32 layout=bshd hq=1 "
            "hkv=1 d=8 dv=8 seqs=4 mask=full fill=normal seed=1");
}

TEST(SuiteTest, FilesThatCannotBeReadGetOneSentence) {
  const auto said = [](const std::filesystem::path& path) {
    try {
      load_suite(path);
      return std::string();
    } catch (const DataError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(said("/nonexistent/x.json"), "/nonexistent/x.json: cannot be read: no such file");
  EXPECT_EQ(said("/dev/zero"), "/dev/zero: cannot be read: it is not a regular file");
  EXPECT_EQ(said("/tmp"), "/tmp: cannot be read: it is not a regular file");
}

/// The shipped suites.
class ShippedSuiteTest : public testing::TestWithParam<const char*> {
 protected:
  const Suite suite_ = load_suite(shipped(GetParam()));
};

TEST_P(ShippedSuiteTest, IsNamedLikeItsFileAndEveryCaseIsValidWithAReason) {
  EXPECT_EQ(suite_.name, GetParam());
  for (const Case& c : suite_.cases) {
    EXPECT_EQ(why_invalid(c.problem), std::nullopt) << to_string(c);
    EXPECT_GE(c.why.size(), 8u) << to_string(c);
  }
}

TEST_P(ShippedSuiteTest, EveryCaseReadsBackFromItsNameAndHasAnIdOfItsOwn) {
  std::set<std::string> ids;
  for (const Case& c : suite_.cases) {
    const Case back = parse_case(to_string(c));
    EXPECT_EQ(back.problem, c.problem);
    EXPECT_EQ(back.fill, c.fill);
    EXPECT_EQ(back.seed, c.seed);
    ids.insert(case_id("sdpa:math", c));
    ids.insert(case_id("eigen", c));
  }
  EXPECT_EQ(ids.size(), 2 * suite_.cases.size());
}

INSTANTIATE_TEST_SUITE_P(Suites, ShippedSuiteTest,
                         testing::Values("smoke", "ci", "hrm_text", "probes", "power", "peers",
                                         "calibration", "flex"),
                         [](const auto& info) { return std::string(info.param); });

bool any_case(const Suite& suite, const std::function<bool(const Case&)>& holds) {
  return std::ranges::any_of(suite.cases, holds);
}

bool has_token(const Case& c, std::string_view token) {
  return std::ranges::count(feature_tokens(c.problem), token) > 0;
}

/// What smoke and ci promise alike.
class CoverageTest : public ShippedSuiteTest {};

TEST_P(CoverageTest, EveryFillAppears) {
  for (const FillInfo& fill : fills) {
    EXPECT_TRUE(any_case(suite_, [&](const Case& c) { return c.fill == fill.fill; })) << fill.name;
  }
}

TEST_P(CoverageTest, EveryFeatureHasAFlatCaseWithLse) {
  // With nearly equal weights no key can be lost unseen: one more or less moves LSE by 1/n.
  for (const FeatureToken& token : all_feature_tokens()) {
    if (token.name == "deterministic") continue;  // Says nothing about the result's value.
    EXPECT_TRUE(any_case(suite_, [&](const Case& c) {
      return c.fill == Fill::flat && c.problem.lse != LseRequest::no && has_token(c, token.name);
    })) << token.name;
  }
}

TEST_P(CoverageTest, TheRegimesThatRandomShapesNeverReachAppear) {
  const auto some_sequence = [&](auto holds) {
    return any_case(suite_,
                    [&](const Case& c) { return std::ranges::any_of(c.problem.sequences, holds); });
  };
  EXPECT_TRUE(some_sequence([](const Sequence& s) { return s.query_length == 1; }));
  EXPECT_TRUE(
      some_sequence([](const Sequence& s) { return s.query_length == 0 && s.key_length > 0; }));
  EXPECT_TRUE(
      some_sequence([](const Sequence& s) { return s.query_length > 0 && s.key_length == 0; }));
  EXPECT_TRUE(some_sequence([](const Sequence& s) { return s.key_length % 32 == 1; }));
  EXPECT_TRUE(some_sequence([](const Sequence& s) { return s.key_length % 128 == 64; }));
  EXPECT_TRUE(any_case(suite_, [](const Case& c) {
    return c.problem.sequences[0].key_length > 0 && empty_rows(c.problem) > 0;
  }));
  // U[0,1] data with a large negative scale: all scores, and LSE, lie far below -88.7.
  EXPECT_TRUE(any_case(suite_, [](const Case& c) {
    return c.fill == Fill::uniform01 && c.problem.softmax_scale == -8.0 && c.problem.head_dim >= 64;
  }));
}

TEST_P(CoverageTest, WhatTorchsFlashKernelGetsWrongIn16BitIsAsked) {
  const auto asked = [&](auto holds) {
    for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) {
      EXPECT_TRUE(any_case(suite_, [&](const Case& c) {
        return c.problem.dtype == dtype && holds(c);
      })) << to_string(dtype);
    }
  };
  asked([](const Case& c) { return c.fill == Fill::q_zero && c.problem.lse != LseRequest::no; });
  asked([](const Case& c) {
    return has_backward(c.problem) && c.problem.sequences[0].query_length >= 1024;
  });
  asked([](const Case& c) {
    return empty_rows(c.problem) > 0 && c.problem.sequences[0].key_length > 0;
  });
  EXPECT_TRUE(any_case(suite_, [](const Case& c) {
    return is_16_bit(c.problem.dtype) && c.problem.layout != Layout::thd &&
           c.problem.sequences[0].key_length == 0;
  }));
}

INSTANTIATE_TEST_SUITE_P(Suites, CoverageTest, testing::Values("smoke", "ci"),
                         [](const auto& info) { return std::string(info.param); });

TEST(CiSuiteTest, EveryFeatureAppears) {
  const Suite suite = load_suite(shipped("ci"));
  for (const FeatureToken& token : all_feature_tokens()) {
    EXPECT_TRUE(any_case(suite, [&](const Case& c) { return has_token(c, token.name); }))
        << token.name;
  }
}

/// Every dtype under every mask family that a term begins, dense and packed.
TEST(CiSuiteTest, EveryDtypeMeetsEveryMaskInEveryLayout) {
  const Suite suite = load_suite(shipped("ci"));
  for (const DtypeInfo& dtype : dtypes) {
    for (const std::string mask : {"full", "causal", "window", "prefix_lm", "document"}) {
      for (const Layout layout : {Layout::bshd, Layout::bhsd, Layout::thd}) {
        EXPECT_TRUE(any_case(suite,
                             [&](const Case& c) {
                               return c.problem.dtype == dtype.dtype &&
                                      c.problem.layout == layout && family(c.problem.mask) == mask;
                             }))
            << dtype.name << " " << mask << " " << static_cast<int>(layout);
      }
    }
  }
}

/// Sizes are stated here, so that a lost or multiplied axis shows in review.
TEST(ShippedSuitesTest, HoldTheCasesTheySay) {
  EXPECT_EQ(load_suite(shipped("smoke")).cases.size(), 94u);
  EXPECT_EQ(load_suite(shipped("ci")).cases.size(), 675u);
  EXPECT_EQ(load_suite(shipped("hrm_text")).cases.size(), 46u);
}

double useful_flops(const Suite& suite) {
  double flops = 0;
  for (const Case& c : suite.cases) {
    const Cost cost = cost_of(c.problem);
    flops += cost.flops_forward + (has_backward(c.problem) ? cost.flops_backward : 0);
  }
  return flops;
}

TEST(ShippedSuitesTest, StaySmallEnoughForTwoCores) {
  EXPECT_LT(useful_flops(load_suite(shipped("smoke"))), 10e9);
  EXPECT_LT(useful_flops(load_suite(shipped("ci"))), 20e9);
  EXPECT_LT(useful_flops(load_suite(shipped("hrm_text"))), 20e9);
}

TEST(HrmTextSuiteTest, HoldsThePublishedChecksInBothDtypes) {
  const Suite suite = load_suite(shipped("hrm_text"));
  for (const std::string tag : {"mixed", "pure_causal", "single"}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
      EXPECT_TRUE(any_case(suite, [&](const Case& c) {
        return std::ranges::count(c.tags, tag) > 0 && std::ranges::count(c.tags, "published") > 0 &&
               c.problem.dtype == dtype && has_backward(c.problem) && has<PrefixLm>(c.problem.mask);
      })) << tag;
    }
  }
  EXPECT_EQ(suite.published.size(), 3u);
}

TEST(HrmTextSuiteTest, UsesTheModelsHeads) {
  std::set<Index> heads;
  for (const Case& c : load_suite(shipped("hrm_text")).cases) {
    EXPECT_EQ(c.problem.head_dim, 128);
    EXPECT_EQ(c.problem.query_heads, c.problem.kv_heads);
    heads.insert(c.problem.query_heads);
  }
  EXPECT_EQ(heads, (std::set<Index>{8, 10, 12, 14, 20}));
}

/// p and c are the lengths of prefix and response.
TEST(HrmTextSuiteTest, HoldsTheEdgesOfPrefixAndResponse) {
  const Suite suite = load_suite(shipped("hrm_text"));
  const auto prefix_case = [&](auto holds) {
    return any_case(suite, [&](const Case& c) {
      return has<PrefixLm>(c.problem.mask) && !has_cross_lengths(c.problem) &&
             holds(c.problem.sequences);
    });
  };
  using Sequences = std::vector<Sequence>;
  const auto no_prefix = [](const Sequence& s) { return s.prefix_length == 0; };
  const auto no_response = [](const Sequence& s) { return s.prefix_length == s.key_length; };
  const auto one = [](const Sequence& s) { return s.prefix_length == 1; };
  const auto some = [](auto holds) {
    return [holds](const Sequences& list) {
      return std::ranges::any_of(list, holds) && !std::ranges::all_of(list, holds);
    };
  };
  const auto all = [](auto holds) {
    return [holds](const Sequences& list) { return std::ranges::all_of(list, holds); };
  };
  EXPECT_TRUE(prefix_case(some(no_prefix)));
  EXPECT_TRUE(prefix_case(all(no_prefix)));
  EXPECT_TRUE(prefix_case(all(one)));
  EXPECT_TRUE(prefix_case(some(no_response)));
  EXPECT_TRUE(prefix_case(all(no_response)));
}

}  // namespace
}  // namespace fathom
