// SPDX-License-Identifier: Apache-2.0
#include "backends/eigen/backend.h"

#include "harness/core/features.h"
#include "harness/worker/tests/bench.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom::eigen {
namespace {

using worker::Bench;

const std::string forward_text =
    "dir=fwd dtype=f32 layout=bshd hq=2 hkv=2 d=16 dv=16 seqs=64 mask=full";
const std::string backward_text = "dir=fwd+bwd" + forward_text.substr(7);

TEST(EigenBackendTest, DeclaresEveryTokenAndNoOther) {
  const auto features = make_backend()->info().features;
  for (const std::string& feature : features) {
    const auto known = all_feature_tokens();
    EXPECT_TRUE(std::any_of(known.begin(), known.end(), [&](const FeatureToken& token) {
      return token.name == feature;
    })) << feature;
  }
  EXPECT_EQ(features.size(), all_feature_tokens().size());
}

TEST(EigenBackendTest, RefusesALoweringThatItDoesNotHave) {
  const auto backend = make_backend();
  const Problem problem = parse_problem(forward_text);
  EXPECT_FALSE(backend->why_unsupported(problem, "native"));
  const auto refusal = backend->why_unsupported(problem, "two_pass");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, "lowering");
  EXPECT_NE(refusal->sentence.find("'two_pass'"), std::string::npos);
}

TEST(EigenBackendTest, DeclaresTheArithmeticOfEveryDtype) {
  const auto arithmetic = make_backend()->info().arithmetic;
  for (const DtypeInfo& row : dtypes) {
    Arithmetic declared = arithmetic.at(row.dtype);
    EXPECT_TRUE(declared.link.starts_with("https://")) << row.name;
    declared.link.clear();
    Arithmetic expected = upcast_arithmetic(row.dtype);
    expected.block_m = 128;
    expected.block_n = 680;
    EXPECT_EQ(to_string(declared), to_string(expected)) << row.name;
  }
}

TEST(EigenBackendTest, APlanWritesEveryOutputInPlace) {
  Bench bench(backward_text);
  const auto plan = bench.plan(*make_backend());
  plan->execute();
  const auto transports = plan->transports();
  EXPECT_EQ(transports.size(), bench.outputs.size());
  for (const auto& [name, transport] : transports) EXPECT_EQ(transport, Transport::in_place);
  Bench twin(backward_text);
  twin.run(*make_backend());
  for (const auto& [name, tensor] : bench.outputs) {
    EXPECT_EQ(tensor.memory, twin.outputs.at(name).memory) << to_string(name);
  }
}

TEST(EigenBackendTest, TimesForwardAndBackwardApart) {
  Bench bench(backward_text);
  const auto plan = bench.plan(*make_backend());
  for (const std::string pass : {"forward", "backward"}) {
    const auto answer = plan->time({pass, 3, false});
    EXPECT_EQ(answer.mode, "cpu");
    ASSERT_EQ(answer.samples_ns.size(), 3U);
    for (const double sample : answer.samples_ns) EXPECT_GT(sample, 0.0);
  }
}

TEST(EigenBackendTest, APassThatTheProblemDoesNotHaveIsNotTimed) {
  Bench bench(forward_text);
  const auto plan = bench.plan(*make_backend());
  const auto answer = plan->time({"backward", 3, false});
  EXPECT_TRUE(answer.samples_ns.empty());
  EXPECT_NE(answer.reason.find("'backward'"), std::string::npos);
}

TEST(EigenBackendTest, MemoryKnowsTheOutputBytesAndAPeakOrAReason) {
  Bench bench(forward_text);
  const auto plan = bench.plan(*make_backend());
  const MemoryUse use = plan->memory();
  EXPECT_EQ(use.output_bytes, (64 * 2 * 16 + 64 * 2) * 4);
  EXPECT_NE(use.peak_bytes.has_value(), !use.reason.empty());
}

}  // namespace
}  // namespace fathom::eigen
