// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_backend.h"
#include "backends/torch/fa3_lowering.h"
#include "backends/torch/fa3_ops.h"
#include "backends/torch/fa3_trial.h"
#include "backends/torch/tests/answer.h"
#include "harness/core/error.h"
#include "harness/core/features.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

// The backend with the op library of these tests, which computes on a CPU.

TORCH_LIBRARY(fathom_planted_fa3, m) {
  m.def("fwd(Tensor q, Tensor k, Tensor v, Tensor? out=None) -> Tensor",
        [](const at::Tensor& q, const at::Tensor& /*k*/, const at::Tensor& /*v*/,
           const std::optional<at::Tensor>& /*out*/) { return q.clone(); });
}

namespace fathom::fa3 {
namespace {

namespace fs = std::filesystem;
using sdpa::Named;

const fs::path stub = FATHOM_BINARY_DIR "/tests/libfathom_fa3_stub.so";

std::unique_ptr<worker::Backend> backend() {
  return make_backend(load_library(stub, ""), "cpu");
}

Problem problem(const std::string& rest) {
  return parse_problem("dir=fwd+bwd dtype=f16 " + rest);
}
const std::string gqa = " hq=4 hkv=2 d=16 dv=16";

/// Relative Frobenius distance; infinities must be at the same places and are left out.
double distance(const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor finite = want.isfinite();
  if (!got.isfinite().equal(finite)) return infinity;
  const at::Tensor w = want.masked_fill(finite.logical_not(), 0);
  const at::Tensor g = got.to(at::kDouble).masked_fill(finite.logical_not(), 0);
  const double norm = w.norm().item<double>();
  return (g - w).norm().item<double>() / (norm > 0 ? norm : 1);
}

/// Far above the honest error of these tiny shapes in fp16, far below that of any wrong key.
constexpr double limit = 2e-3;

void expect_right(const std::string& rest, std::string_view lowering) {
  const Problem asked = problem(rest);
  const auto fa3 = backend();
  const std::string how(lowering);
  const auto refusal = fa3->why_unsupported(asked, how);
  ASSERT_FALSE(refusal) << refusal->sentence << "  " << rest;
  const Named inputs = sdpa::random_inputs(asked);
  const Named want = sdpa::plain_attention(asked, inputs);
  for (const auto& [tensor, got] : sdpa::answer(*fa3, asked, how, inputs)) {
    EXPECT_LE(distance(got, want.at(tensor)), limit)
        << how << ' ' << to_string(tensor) << "  " << rest;
  }
}

std::string why_not(const std::string& rest, std::string_view lowering = native) {
  const auto refusal = backend()->why_unsupported(problem(rest), std::string(lowering));
  return refusal ? refusal->code + ": " + refusal->sentence : "";
}

bool holds(const std::string& sentence, const std::string& words) {
  return sentence.find(words) != std::string::npos;
}

TEST(Fa3Test, AnswersDenseAndPackedLayouts) {
  for (const std::string layout : {"bshd", "bhsd"}) {
    expect_right("layout=" + layout + " seqs=3*9x12 mask=full" + gqa, native);
  }
  expect_right("layout=thd seqs=7x3,1x9,12,0x4,3x0 mask=full" + gqa, native);
}

TEST(Fa3Test, AnswersMasksOfFlagAndWindow) {
  for (const std::string mask : {"causal(bottom_right)", "window(3,0)", "window(2,4)",
                                 "window(-1,1)", "causal(bottom_right)&window(3,-1)"}) {
    expect_right("layout=bshd seqs=2*14 mask=" + mask + gqa, native);
    expect_right("layout=thd seqs=5x12,12x5,1x9 mask=" + mask + gqa, native);
  }
}

TEST(Fa3Test, AnswersAScaleOfItsOwn) {
  expect_right("layout=bshd seqs=2*9 mask=full scale=0.7" + gqa, native);
}

TEST(Fa3Test, TwoPassAnswersPrefixesOfEveryLength) {
  expect_right("layout=thd seqs=14p3,5,9p9,1p1,8p7 mask=prefix_lm" + gqa, two_pass);
  expect_right("layout=bshd seqs=14p3,14,14p14,14p1 mask=prefix_lm" + gqa, two_pass);
  expect_right("layout=bhsd seqs=14p3 mask=prefix_lm" + gqa, two_pass);
}

TEST(Fa3Test, TwoPassAnswersQueriesBehindACache) {
  expect_right("layout=bshd seqs=3*3x10p8 mask=prefix_lm" + gqa, two_pass);
  expect_right("layout=thd seqs=9x4p2,9x4,2x6p3 mask=prefix_lm" + gqa, two_pass);
}

TEST(Fa3Test, TwoPassSurvivesABatchWithNothingForOnePassToDo) {
  expect_right("layout=thd seqs=7p7,3p3 mask=prefix_lm" + gqa, two_pass);
  expect_right("layout=thd seqs=7,3 mask=prefix_lm" + gqa, two_pass);
  expect_right("layout=thd seqs=0x5p5,0 mask=prefix_lm" + gqa, two_pass);
}

TEST(Fa3Test, IsBitwiseRepeatable) {
  const Problem asked = problem("layout=thd seqs=40p13,30 mask=prefix_lm" + gqa);
  const Named inputs = sdpa::random_inputs(asked);
  const auto fa3 = backend();
  const Named once = sdpa::answer(*fa3, asked, "two_pass", inputs);
  for (const auto& [tensor, again] : sdpa::answer(*fa3, asked, "two_pass", inputs)) {
    EXPECT_TRUE(again.equal(once.at(tensor))) << to_string(tensor);
  }
}

TEST(Fa3Test, ARowThatTheLibraryDoesNotWriteIsNaN) {
  const Problem asked = problem("layout=bshd seqs=2*9 mask=full" + gqa);
  const Named inputs = sdpa::random_inputs(asked);
  ::setenv("FATHOM_FA3_STUB", "last_row_unwritten", 1);
  const Named got = sdpa::answer(*backend(), asked, "native", inputs);
  ::unsetenv("FATHOM_FA3_STUB");
  EXPECT_TRUE(got.at(TensorName::o).select(1, 8).isnan().all().item<bool>());
  EXPECT_TRUE(got.at(TensorName::o).select(1, 7).isfinite().all().item<bool>());
}

TEST(Fa3Test, TimesForwardAndBackwardApart) {
  const Problem asked = problem("layout=thd seqs=64p30 mask=prefix_lm" + gqa);
  const Named inputs = sdpa::random_inputs(asked);
  worker::InputViews views;
  for (const TensorSpec& spec : input_specs(asked)) {
    const at::Tensor& t = inputs.at(spec.name);
    views[spec.name] = {spec, std::span(static_cast<const std::byte*>(t.data_ptr()), t.nbytes())};
  }
  const auto fa3 = backend();
  const auto plan = fa3->prepare(asked, "two_pass", views, {});
  for (const std::string pass : {"forward", "backward"}) {
    const worker::TimeAnswer times = plan->time({pass, 4, false});
    ASSERT_EQ(times.samples_ns.size(), 4U) << times.reason;
    EXPECT_GT(*std::min_element(times.samples_ns.begin(), times.samples_ns.end()), 100) << pass;
  }
  EXPECT_FALSE(plan->time({"sideways", 1, false}).reason.empty());
}

TEST(Fa3Test, DeclaresOnlyTokensThatExistAndNoneThatItHasNoWordFor) {
  const auto features = backend()->info().features;
  for (const std::string& token : features) {
    const auto known = all_feature_tokens();
    EXPECT_TRUE(std::any_of(known.begin(), known.end(), [&](const FeatureToken& t) {
      return t.name == token;
    })) << token;
  }
  for (const std::string token :
       {"dlse", "mask.document", "mask.causal.top_left", "dtype.f32", "dtype.f64"}) {
    EXPECT_EQ(std::count(features.begin(), features.end(), token), 0) << token;
  }
}

TEST(Fa3RefusalTest, QuotesTheLibraryWhereOnlyACallTells) {
  EXPECT_TRUE(holds(why_not("layout=bshd seqs=4 mask=full hq=2 hkv=2 d=128 dv=64"),
                    "library: If V headdim is different"));
  EXPECT_TRUE(holds(why_not("layout=bshd seqs=4 mask=full hq=2 hkv=2 d=12 dv=12"),
                    "library: head_size should be a multiple of 8"));
  EXPECT_EQ(why_not("layout=bshd seqs=4 mask=full hq=2 hkv=2 d=64 dv=32"), "");
}

TEST(Fa3RefusalTest, SaysItsOwnReasonBeforeTheLibraryIsAsked) {
  EXPECT_TRUE(holds(why_not("layout=bshd seqs=4x6 mask=causal(top_left)" + gqa), "lowering: "));
  EXPECT_TRUE(holds(why_not("layout=bshd seqs=4p2 mask=prefix_lm" + gqa), "prefix_lm"));
}

TEST(Fa3RefusalTest, AKindOfProblemIsAskedOfOneSequenceAndOneHead) {
  const Problem small =
      smallest_of_its_kind(problem("layout=thd seqs=40x70p30,90x7,0 mask=prefix_lm" + gqa));
  EXPECT_EQ(to_string(small), to_string(problem("layout=thd seqs=90x70p30 mask=prefix_lm "
                                                "hq=2 hkv=1 d=16 dv=16")));
  const Problem empty = smallest_of_its_kind(problem("layout=bshd seqs=2*0 mask=full" + gqa));
  EXPECT_EQ(empty.sequences, (std::vector<Sequence>{{1, 1, 0}}));
}

TEST(Fa3OpsTest, AMissingOpIsNamed) {
  EXPECT_TRUE(
      holds(Ops("fathom_planted_fa3").why_no_backward().value_or(""), "fathom_planted_fa3::bwd"));
  EXPECT_EQ((load_library(stub, ""), Ops("flash_attn_3")).why_no_backward(), std::nullopt);
  EXPECT_THROW(Ops("fathom_planted_nothing"), Error);
}

TEST(Fa3OpsTest, AnOpWithoutAnArgumentThatMattersIsNotCalled) {
  const Ops ops("fathom_planted_fa3");
  Operands operands;
  operands.query = operands.key = operands.value = at::ones({1, 2, 1, 8});
  const auto sentence = [&] {
    try {
      (void)ops.forward(operands, operands.query);
    } catch (const Error& error) {
      return std::string(error.what());
    } catch (const std::exception&) {
      return std::string();  // It was called, and returns too little.
    }
    return std::string();
  };
  EXPECT_EQ(sentence(), "");
  operands.is_causal = true;
  EXPECT_TRUE(holds(sentence(), "no argument is_causal")) << sentence();
  operands.is_causal = false;
  operands.seqused_q = at::ones({1}, at::kInt);
  EXPECT_TRUE(holds(sentence(), "no argument seqused_q")) << sentence();
}

/// A folder of this test's own, removed at its end.
class Fa3LibraryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fa3_library_test.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(Fa3LibraryTest, NothingInstalledIsASentence) {
  const Library library = load_library("", folder_);
  EXPECT_EQ(library.build, nullptr);
  EXPECT_TRUE(holds(library.absent, folder_.string())) << library.absent;
  EXPECT_TRUE(holds(library.absent, "FATHOM_FA3_LIBRARY")) << library.absent;
  EXPECT_EQ(make_backend(library, "cpu")->info().absent, library.absent);
}

TEST_F(Fa3LibraryTest, AFileThatIsNoLibraryIsASentence) {
  EXPECT_TRUE(holds(load_library(folder_ / "none.so", "").absent, "no file"));
  std::ofstream(folder_ / "text.so") << "text";
  const std::string sentence = load_library(folder_ / "text.so", "").absent;
  EXPECT_TRUE(holds(sentence, "does not load")) << sentence;
}

TEST_F(Fa3LibraryTest, ALibraryThatKillsItsProcessIsASentence) {
  ::setenv("FATHOM_FA3_STUB", "throws_on_load", 1);
  fs::copy_file(stub, folder_ / "copy.so");
  const std::string sentence = load_library(folder_ / "copy.so", "").absent;
  ::unsetenv("FATHOM_FA3_STUB");
  EXPECT_TRUE(holds(sentence, "kills the process")) << sentence;
}

TEST_F(Fa3LibraryTest, AWheelBesideTorchIsFoundWithItsVersion) {
  fs::create_directories(folder_ / "flash_attn_3");
  fs::create_directories(folder_ / "flash_attn_3-3.0.1.dist-info");
  fs::create_symlink(stub, folder_ / "flash_attn_3" / "_C.abi3.so");
  const Library library = load_library("", folder_);
  ASSERT_NE(library.build, nullptr) << library.absent;
  EXPECT_EQ(library.build->ops, "flash_attn_3");
  EXPECT_EQ(library.version, "flash_attn_3 3.0.1");
  EXPECT_EQ(make_backend(library, "cpu")->info().absent, "");
}

TEST_F(Fa3LibraryTest, TorchIsFoundInItsSitePackages) {
  EXPECT_TRUE(fs::exists(torchs_site_packages() / "torch" / "lib" / "libtorch_cpu.so"))
      << torchs_site_packages();
}

}  // namespace
}  // namespace fathom::fa3
