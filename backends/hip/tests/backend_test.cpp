// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/backend.h"

#include "backends/hip/kernel/defects.h"
#include "backends/hip/tests/judged.h"
#include "harness/core/features.h"
#include "harness/inputs/inputs.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom::hip {
namespace {

const std::string shape = "layout=bshd hq=2 hkv=2 d=64 dv=64 ";

std::optional<worker::Refusal> refusal(const std::string& text, const std::string& lowering) {
  return make_host_backend(Target::amd)->why_unsupported(parse_problem(text), lowering);
}

TEST(HipBackendTest, DeclaresTokensThatExist) {
  for (const std::string& feature : make_host_backend(Target::amd)->info().features) {
    const auto known = all_feature_tokens();
    EXPECT_TRUE(std::any_of(known.begin(), known.end(), [&](const FeatureToken& token) {
      return token.name == feature;
    })) << feature;
  }
}

TEST(HipBackendTest, DeclaresRoundedWeightsAndOneChainOfSums) {
  for (const auto& [dtype, declared] : make_host_backend(Target::nvidia)->info().arithmetic) {
    EXPECT_EQ(declared.p_dtype, dtype);
    EXPECT_EQ(declared.ds_dtype, dtype);
    EXPECT_EQ(declared.acc, Accumulator::fp32);
    EXPECT_EQ(declared.block_n, 65536);
    EXPECT_FALSE(declared.link.empty());
  }
}

TEST(HipBackendTest, RefusesWhatNoKernelIsBuiltFor) {
  EXPECT_FALSE(refusal("dir=fwd dtype=f16 seqs=8 mask=full " + shape, "native"));
  EXPECT_EQ(
      refusal("dir=fwd dtype=f16 seqs=8 mask=full layout=bshd hq=1 hkv=1 d=80 dv=80", "native")
          ->code,
      "shape");
  for (const std::string scale : {"0", "-0.125"}) {
    EXPECT_EQ(
        refusal("dir=fwd dtype=f16 seqs=8 mask=full scale=" + scale + " " + shape, "native")->code,
        "scale");
  }
}

TEST(HipBackendTest, AnswersInTwoPassesWhatHasTwo) {
  EXPECT_FALSE(refusal("dir=fwd dtype=bf16 seqs=8p3 mask=prefix_lm " + shape, "two_pass"));
  EXPECT_TRUE(refusal("dir=fwd dtype=bf16 seqs=8 mask=full " + shape, "two_pass"));
  EXPECT_TRUE(refusal("dir=fwd+bwd dtype=bf16 seqs=8p3 mask=prefix_lm " + shape, "two_pass"));
  EXPECT_TRUE(
      refusal("dir=fwd dtype=bf16 seqs=8p3 mask=prefix_lm&window(3,3) " + shape, "two_pass"));
  EXPECT_TRUE(refusal("dir=fwd dtype=bf16 seqs=8p3 mask=prefix_lm " + shape, "loop"));
}

TEST(HipBackendTest, SaysWhyOtherPlatformsAreAbsent) {
  int absent = 0;
  for (const auto& backend : make_all_backends()) {
    const worker::BackendInfo info = backend->info();
    if (info.absent.empty()) continue;
    ++absent;
    EXPECT_NE(info.absent.find("runtime"), std::string::npos) << info.name;
  }
  EXPECT_EQ(absent, 2);
}

TEST(HipBackendTest, AnAlarmOfTheExecutorIsNoAnswer) {
  const Case c =
      parse_case("dir=fwd dtype=bf16 seqs=200 mask=full " + shape + "fill=normal seed=1");
  const TensorSet inputs = make_inputs(c);
  worker::InputViews views;
  for (const auto& [name, tensor] : inputs) views[name] = tensor.view();
  std::map<TensorName, std::vector<std::byte>> memory;
  worker::OutputViews outputs;
  for (const TensorSpec& spec : output_specs(c.problem)) {
    memory[spec.name].resize(static_cast<std::size_t>(byte_count(spec)));
    outputs[spec.name] = {spec, memory[spec.name]};
  }
  const auto plan = make_host_backend(Target::amd)->prepare(c.problem, "native", views, outputs);
  EXPECT_NO_THROW(plan->execute());
  planted_defect = Defect::no_barrier_after_store;
  EXPECT_THROW(plan->execute(), std::runtime_error);
  planted_defect = Defect::none;
}

}  // namespace
}  // namespace fathom::hip
