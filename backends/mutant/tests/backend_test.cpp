// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/backend.h"

#include "harness/core/features.h"
#include "harness/worker/tests/bench.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom::mutant {
namespace {

using worker::Bench;

const std::string forward_text =
    "dir=fwd dtype=f32 layout=bshd hq=2 hkv=2 d=16 dv=16 seqs=64 mask=full";
const std::string backward_text = "dir=fwd+bwd" + forward_text.substr(7);

TEST(MutantBackendTest, DeclaresTokensThatThereAreAndNotF64) {
  const auto features = make_honest_backend()->info().features;
  const auto known = all_feature_tokens();
  for (const std::string& feature : features) {
    EXPECT_TRUE(std::any_of(known.begin(), known.end(), [&](const FeatureToken& token) {
      return token.name == feature;
    })) << feature;
    EXPECT_NE(feature, "dtype.f64");
  }
}

TEST(MutantBackendTest, DeclaresAFlashKernelWithTilesOf64) {
  const auto arithmetic = make_honest_backend()->info().arithmetic;
  EXPECT_EQ(arithmetic.size(), 3U);
  EXPECT_EQ(arithmetic.at(Dtype::bf16).p_dtype, Dtype::bf16);
  EXPECT_EQ(arithmetic.at(Dtype::bf16).ds_dtype, Dtype::bf16);
  EXPECT_EQ(arithmetic.at(Dtype::f32).block_m, 64);
  EXPECT_EQ(arithmetic.at(Dtype::f32).block_n, 64);
}

TEST(MutantBackendTest, ServesTheHonestTwinFirstAndEveryRowUnderItsName) {
  const auto backends = make_all_backends();
  const auto mutants = all_mutants();
  ASSERT_EQ(backends.size(), mutants.size() + 1);
  EXPECT_EQ(backends.front()->info().name, "mutant:honest");
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    EXPECT_EQ(backends[i + 1]->info().name, "mutant:" + std::string(mutants[i].name));
  }
}

TEST(MutantBackendTest, RefusesALoweringThatItDoesNotHave) {
  const auto backend = make_honest_backend();
  const Problem problem = parse_problem(forward_text);
  EXPECT_FALSE(backend->why_unsupported(problem, "native"));
  const auto refusal = backend->why_unsupported(problem, "two_pass");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, "lowering");
  EXPECT_NE(refusal->sentence.find("'two_pass'"), std::string::npos);
}

TEST(MutantBackendTest, TimesForwardAndBackwardApart) {
  Bench bench(backward_text);
  const auto plan = bench.plan(*make_honest_backend());
  for (const std::string pass : {"forward", "backward"}) {
    const auto answer = plan->time({pass, 3, false});
    EXPECT_EQ(answer.mode, "cpu");
    ASSERT_EQ(answer.samples_ns.size(), 3U);
    for (const double sample : answer.samples_ns) EXPECT_GT(sample, 0.0);
  }
}

TEST(MutantBackendTest, APassThatTheProblemDoesNotHaveIsNotTimed) {
  Bench bench(forward_text);
  const auto answer = bench.plan(*make_honest_backend())->time({"backward", 3, false});
  EXPECT_TRUE(answer.samples_ns.empty());
  EXPECT_NE(answer.reason.find("'backward'"), std::string::npos);
}

TEST(MutantBackendTest, MemoryGrowsByTilesAndRowsNotByTheirProduct) {
  Bench bench("dir=fwd dtype=f16 layout=bshd hq=1 hkv=1 d=16 dv=16 seqs=4096 mask=full");
  const MemoryUse use = bench.plan(*make_honest_backend())->memory();
  EXPECT_EQ(use.output_bytes, 4096 * 16 * 2 + 4096 * 4);
  EXPECT_NE(use.peak_bytes.has_value(), !use.reason.empty());
  EXPECT_LT(use.peak_bytes.value_or(0), 4096 * 4096);
}

}  // namespace
}  // namespace fathom::mutant
