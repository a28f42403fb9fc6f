// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/tests/answer.h"

#include <ATen/TensorOperators.h>
#include <ATen/Version.h>
#include <gtest/gtest.h>

#include <cmath>

// What torch's CPU flash attention is known to do, held against what this backend declares of it.

namespace fathom::sdpa {
namespace {

constexpr const char* name = "sdpa:flash";

double lse_error(const std::string& dtype, double query_factor) {
  const Problem problem = parse_problem(
      "dir=fwd layout=bhsd seqs=64x1000 mask=full hq=2 hkv=2 d=64 "
      "dv=64 dtype=" +
      dtype);
  const Named inputs = random_inputs(problem, query_factor);
  const auto backend = cpu_backend(name);
  const at::Tensor got = answer(*backend, problem, "native", inputs).at(TensorName::lse);
  const at::Tensor want = plain_attention(problem, inputs).at(TensorName::lse);
  return (got.to(at::kDouble) - want).abs().max().item<double>();
}

TEST(FindingsTest, SixteenBitLseStaysWithinTheDeclaredExponential) {
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    const double declared = cpu_backend(name)->info().arithmetic.at(dtype).exp_rel;
    for (const double factor : {0.0, 0.05, 1.0, 4.0}) {
      EXPECT_LE(lse_error(std::string(to_string(dtype)), factor), declared + 1e-5) << factor;
    }
  }
}

TEST(FindingsTest, TheWiderLseBudgetIsNotDeclaredForNothing) {
  const double declared = cpu_backend(name)->info().arithmetic.at(Dtype::bf16).exp_rel;
  if (declared == 0) GTEST_SKIP() << "torch runs its " << at::get_cpu_capability() << " kernels";
  EXPECT_GT(lse_error("bf16", 0), declared / 4);
}

TEST(FindingsTest, Fp32LseNeedsNoWiderBudget) {
  EXPECT_EQ(cpu_backend(name)->info().arithmetic.at(Dtype::f32).exp_rel, 0);
  EXPECT_LE(lse_error("f32", 0), 1e-6);
}

TEST(FindingsTest, ARowWithoutKeysHasTheDeclaredLse) {
  const Problem problem = parse_problem(
      "dir=fwd layout=bhsd seqs=9x4 mask=causal(bottom_right) "
      "hq=1 hkv=1 d=16 dv=16 dtype=f32");
  const auto backend = cpu_backend(name);
  EXPECT_EQ(backend->info().arithmetic.at(Dtype::f32).empty_row_lse, EmptyRowLse::zero);
  const Named got = answer(*backend, problem, "dense_mask", random_inputs(problem));
  EXPECT_EQ(got.at(TensorName::lse)[0][0][0].item<float>(), 0.0F);
  EXPECT_TRUE(got.at(TensorName::o)[0][0][0].eq(0).all().item<bool>());
}

TEST(FindingsTest, EmptySequencesAreNeitherRefusedNorShielded) {
  const Problem problem = parse_problem(
      "dir=fwd layout=thd seqs=5,3x0 mask=full hq=1 hkv=1 d=16 "
      "dv=16 dtype=f32");
  EXPECT_EQ(cpu_backend(name)->why_unsupported(problem, "loop"), std::nullopt);
}

}  // namespace
}  // namespace fathom::sdpa
