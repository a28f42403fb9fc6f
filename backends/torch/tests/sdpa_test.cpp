// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/lowering.h"
#include "backends/torch/sdpa_backend.h"
#include "backends/torch/tests/answer.h"
#include "harness/core/error.h"
#include "harness/core/features.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace fathom::sdpa {
namespace {

/// Relative Frobenius distance; infinities must be at the same places and are left out.
double distance(const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor g = got.to(at::kDouble);
  const at::Tensor finite = want.isfinite();
  if (!g.isfinite().equal(finite)) return 1e300;
  const at::Tensor w = want.masked_fill(finite.logical_not(), 0);
  const double norm = w.norm().item<double>();
  const double error = (g.masked_fill(finite.logical_not(), 0) - w).norm().item<double>();
  return norm > 0 ? error / norm : error;
}

/// Far above the honest error of these tiny shapes, far below that of any wrong key.
double limit(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64: return 1e-13;
    case Dtype::f32: return 3e-6;
    case Dtype::f16: return 2e-3;
    case Dtype::bf16: return 1.5e-2;
  }
  return 0;
}

/// The Problem answered by every lowering that takes it, against the definition.
void expect_right(const std::string& name, const std::string& text,
                  const std::set<std::string>& expected_lowerings) {
  const auto backend = cpu_backend(name);
  const Problem problem = parse_problem(text);
  const Named inputs = random_inputs(problem);
  const Named want = plain_attention(problem, inputs);
  std::set<std::string> taken;
  for (const Lowering& lowering : lowerings) {
    const std::string how(lowering.name);
    if (backend->why_unsupported(problem, how)) continue;
    taken.insert(how);
    for (const auto& [tensor, got] : answer(*backend, problem, how, inputs)) {
      EXPECT_LE(distance(got, want.at(tensor)), limit(problem.dtype))
          << name << '/' << how << ' ' << to_string(tensor) << "  " << text;
    }
  }
  EXPECT_EQ(taken, expected_lowerings) << text;
}

const std::set<std::string> all{"native", "dense_mask", "loop", "loop+dense_mask"};
const std::set<std::string> with_mask{"dense_mask", "loop+dense_mask"};
const std::set<std::string> looped{"loop", "loop+dense_mask"};
const std::set<std::string> looped_with_mask{"loop+dense_mask"};

class SdpaTest : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(OnCpu, SdpaTest, testing::Values("sdpa:math", "sdpa:flash"),
                         [](const auto& row) { return row.param.substr(5); });

std::string gradients(const std::string& rest) {
  return "dir=fwd+bwd " + rest;
}
const std::string gqa = "hq=4 hkv=2 d=16 dv=16 ";

TEST_P(SdpaTest, AnswersEveryDtype) {
  for (const std::string dtype : {"f64", "f32", "f16", "bf16"}) {
    expect_right(
        GetParam(),
        gradients("layout=bshd seqs=2*33x40 mask=full dtype=" + dtype + " hq=2 hkv=2 d=16 dv=16"),
        all);
  }
}

TEST_P(SdpaTest, AnswersBothDenseLayouts) {
  for (const std::string layout : {"bshd", "bhsd"}) {
    expect_right(GetParam(),
                 gradients("layout=" + layout + " seqs=3*9x12 mask=full dtype=f64 " + gqa), all);
  }
}

TEST_P(SdpaTest, AnswersCausalMasksOfEqualLengths) {
  for (const std::string corner : {"top_left", "bottom_right"}) {
    expect_right(GetParam(),
                 gradients("layout=bshd seqs=2*17 mask=causal(" + corner + ") dtype=f64 " + gqa),
                 all);
  }
}

TEST_P(SdpaTest, AnswersCausalMasksOfUnequalLengths) {
  for (const std::string lengths : {"5x12", "12x5", "1x9"}) {
    const std::string seqs = "layout=bhsd seqs=2*" + lengths + " dtype=f64 " + gqa;
    expect_right(GetParam(), gradients(seqs + "mask=causal(top_left)"), all);
    expect_right(GetParam(), gradients(seqs + "lse=no mask=causal(bottom_right)"), with_mask);
  }
}

TEST_P(SdpaTest, AnswersMasksThatTorchDoesNotKnow) {
  for (const std::string mask :
       {"window(3,0)", "window(2,4)", "window(-1,1)", "document(4,1,7)",
        "causal(bottom_right)&document(4,8)", "causal(top_left)&window(5,5)"}) {
    expect_right(GetParam(), gradients("layout=bshd seqs=2*14 dtype=f64 mask=" + mask + " " + gqa),
                 with_mask);
  }
}

TEST_P(SdpaTest, AnswersPrefixLmWithAPrefixOfItsOwnInEachSequence) {
  expect_right(GetParam(),
               gradients("layout=bshd seqs=14p3,14,14p14,14p1 dtype=f64 "
                         "mask=prefix_lm " +
                         gqa),
               with_mask);
  expect_right(GetParam(),
               gradients("layout=thd seqs=14p3,5,9p9,1p1 dtype=f64 mask=prefix_lm " + gqa),
               looped_with_mask);
}

TEST_P(SdpaTest, AnswersPackedSequences) {
  expect_right(GetParam(),
               gradients("layout=thd seqs=7,1,12 dtype=f64 mask=causal(bottom_right) " + gqa),
               looped);
  expect_right(GetParam(), gradients("layout=thd seqs=7x3,1x9,12 dtype=f64 mask=full " + gqa),
               looped);
  expect_right(GetParam(), gradients("layout=thd seqs=11 dtype=f64 mask=full " + gqa), all);
}

TEST_P(SdpaTest, AnswersMultiQueryAttentionInSixteenBit) {
  expect_right(GetParam(),
               gradients("layout=bshd seqs=2*20 dtype=bf16 mask=full "
                         "hq=6 hkv=1 d=16 dv=16"),
               all);
}

TEST_P(SdpaTest, AnswersAScaleOfItsOwn) {
  expect_right(GetParam(), gradients("layout=bshd seqs=2*9 dtype=f64 mask=full scale=0.7 " + gqa),
               all);
  expect_right(GetParam(), gradients("layout=bshd seqs=2*9 dtype=f64 mask=full scale=-0.3 " + gqa),
               all);
}

TEST_P(SdpaTest, IsBitwiseRepeatable) {
  const auto backend = cpu_backend(GetParam());
  const Problem problem =
      parse_problem(gradients("layout=bshd seqs=2*130 dtype=bf16 mask=causal(top_left) " + gqa));
  const Named inputs = random_inputs(problem);
  const Named once = answer(*backend, problem, "native", inputs);
  for (const auto& [tensor, again] : answer(*backend, problem, "native", inputs)) {
    EXPECT_TRUE(again.equal(once.at(tensor))) << to_string(tensor);
  }
}

TEST_P(SdpaTest, LeavesItsInputsAlone) {
  const auto backend = cpu_backend(GetParam());
  const Problem problem =
      parse_problem(gradients("layout=bshd seqs=2*9 dtype=f32 mask=full " + gqa));
  const Named inputs = random_inputs(problem);
  const Named copies = random_inputs(problem);
  (void)answer(*backend, problem, "native", inputs);
  for (const auto& [tensor, value] : inputs) {
    EXPECT_TRUE(value.equal(copies.at(tensor))) << to_string(tensor);
  }
}

TEST_P(SdpaTest, TimesForwardAndBackwardApart) {
  const auto backend = cpu_backend(GetParam());
  const Problem problem =
      parse_problem(gradients("layout=bshd seqs=64 dtype=f32 mask=full hq=2 hkv=2 d=16 dv=16"));
  const Named inputs = random_inputs(problem);
  worker::InputViews views;
  for (const TensorSpec& spec : input_specs(problem)) {
    const at::Tensor& t = inputs.at(spec.name);
    views[spec.name] = {spec, std::span(static_cast<const std::byte*>(t.data_ptr()), t.nbytes())};
  }
  const auto plan = backend->prepare(problem, "native", views, {});
  for (const std::string pass : {"forward", "backward"}) {
    const worker::TimeAnswer times = plan->time({pass, 4, false});
    EXPECT_EQ(times.mode, "cpu");
    ASSERT_EQ(times.samples_ns.size(), 4u) << times.reason;
    EXPECT_GT(*std::min_element(times.samples_ns.begin(), times.samples_ns.end()), 100) << pass;
  }
  EXPECT_FALSE(plan->time({"sideways", 1, false}).reason.empty());
}

TEST(SdpaMathTest, AnswersSequencesWithoutQueriesOrKeys) {
  expect_right("sdpa:math", gradients("layout=thd seqs=5,0,3x0,0x4,6 dtype=f64 mask=full " + gqa),
               looped);
}

TEST(SdpaMathTest, AnswersRowsThatSeeNoKeyWithZero) {
  expect_right("sdpa:math",
               gradients("layout=bshd seqs=2*9x4 dtype=f64 "
                         "mask=causal(bottom_right) " +
                         gqa),
               with_mask);
}

TEST(SdpaMathTest, AnswersAnotherValueDim) {
  expect_right("sdpa:math",
               gradients("layout=bshd seqs=2*9x11 dtype=f64 mask=full "
                         "hq=2 hkv=2 d=16 dv=24"),
               all);
}

TEST(SdpaMathTest, MemoryGrowsWithTheScoreMatrix) {
  const auto backend = cpu_backend("sdpa:math");
  const Problem problem =
      parse_problem("dir=fwd layout=bshd seqs=1024 dtype=f32 mask=full hq=8 hkv=8 d=16 dv=16");
  const Named inputs = random_inputs(problem);
  worker::InputViews views;
  for (const TensorSpec& spec : input_specs(problem)) {
    const at::Tensor& t = inputs.at(spec.name);
    views[spec.name] = {spec, std::span(static_cast<const std::byte*>(t.data_ptr()), t.nbytes())};
  }
  const MemoryUse use = backend->prepare(problem, "native", views, {})->memory();
  if (!use.peak_bytes) GTEST_SKIP() << use.reason;
  const Index scores = Index{8} * 1024 * 1024 * 4;
  EXPECT_GE(*use.peak_bytes, scores);
  EXPECT_LE(*use.peak_bytes, 8 * scores);
}

std::set<std::string> declared(const std::string& name) {
  const auto features = cpu_backend(name)->info().features;
  return {features.begin(), features.end()};
}

TEST(SdpaBackendTest, DeclaresOnlyTokensThatExist) {
  std::set<std::string> known;
  for (const FeatureToken& token : all_feature_tokens()) known.emplace(token.name);
  for (const std::string name : {"sdpa:math", "sdpa:flash"}) {
    for (const std::string& token : declared(name)) EXPECT_TRUE(known.contains(token)) << token;
  }
}

TEST(SdpaBackendTest, DoesNotDeclareWhatTorchDoesNotHave) {
  EXPECT_FALSE(declared("sdpa:math").contains("lse"));
  EXPECT_FALSE(declared("sdpa:math").contains("dlse"));
  EXPECT_FALSE(declared("sdpa:flash").contains("dlse"));
  EXPECT_FALSE(declared("sdpa:flash").contains("dv"));
  EXPECT_TRUE(declared("sdpa:flash").contains("lse"));
}

TEST(SdpaBackendTest, SaysThatMathGivesNoLse) {
  const Problem problem = parse_problem("dir=fwd layout=bshd seqs=4 dtype=f32 mask=full " + gqa);
  const auto backend = cpu_backend("sdpa:math");
  const Named outputs = answer(*backend, problem, "native", random_inputs(problem));
  EXPECT_TRUE(outputs.contains(TensorName::o));
  EXPECT_FALSE(outputs.contains(TensorName::lse));
}

TEST(SdpaBackendTest, KernelsOfAGpuAreAbsentWithASentence) {
  for (const std::string name : {"sdpa:efficient", "sdpa:cudnn"}) {
    const std::string absent = cpu_backend(name)->info().absent;
    EXPECT_NE(absent.find("GPU"), std::string::npos) << absent;
    EXPECT_NE(absent.find(name), std::string::npos) << absent;
  }
}

TEST(SdpaBackendTest, AnUnknownDeviceMakesEveryBackendAbsentWithASentence) {
  for (const auto& backend : make_backends("tpu")) {
    EXPECT_NE(backend->info().absent.find("tpu"), std::string::npos) << backend->info().absent;
  }
}

TEST(SdpaBackendTest, VersionNamesTorchTheKernelsAndTheThreads) {
  const worker::BackendInfo info = cpu_backend("sdpa:flash")->info();
  EXPECT_TRUE(info.version.starts_with(FATHOM_TORCH_VERSION)) << info.version;
  EXPECT_NE(info.version.find("threads"), std::string::npos) << info.version;
  EXPECT_EQ(info.device, "cpu");
}

TEST(SdpaBackendTest, TorchsOwnSentenceComesThrough) {
  const Problem problem =
      parse_problem("dir=fwd layout=bshd seqs=4 dtype=f32 mask=full hq=2 hkv=2 d=16 dv=8");
  const auto backend = cpu_backend("sdpa:flash");
  try {
    (void)answer(*backend, problem, "native", random_inputs(problem));
    FAIL() << "torch took unequal head dims";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("same head size"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("frame #"), std::string::npos) << error.what();
  }
}

TEST(SdpaBackendTest, RunningOutOfMemoryIsSaidAsSuch) {
  // A mask-free score matrix of 2^21 x 2^21 fp64 numbers has 32 TiB.
  const Problem problem = parse_problem(
      "dir=fwd layout=bshd seqs=2097152 dtype=f64 mask=full hq=1 hkv=1 d=1 dv=1 lse=no");
  const auto backend = cpu_backend("sdpa:math");
  const Named inputs = random_inputs(problem);
  EXPECT_THROW((void)answer(*backend, problem, "native", inputs), worker::OutOfMemory);
}

}  // namespace
}  // namespace fathom::sdpa
