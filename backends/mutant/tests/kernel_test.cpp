// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/backend.h"
#include "backends/mutant/kernel_forward.h"
#include "harness/worker/tests/naive_attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace fathom::mutant {
namespace {

using worker::Answer;
using worker::Bench;

double largest(const std::vector<double>& numbers) {
  double most = 0;
  for (const double x : numbers) {
    if (std::isfinite(x)) most = std::max(most, std::abs(x));
  }
  return most;
}

double rms(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double x : numbers) sum += std::isfinite(x) ? x * x : 0;
  return numbers.empty() ? 0 : std::sqrt(sum / static_cast<double>(numbers.size()));
}

/// P, dS and the output are rounded to storage, each by u at most, and errors of P and dS meet in
/// sums: a few u of the tensor's largest number everywhere, less than 2 u of its rms on average.
void expect_naive(const std::string& text) {
  Bench bench(text);
  const Answer want = worker::naive_attention(bench);
  bench.run(*make_honest_backend());
  for (const auto& [name, tensor] : bench.outputs) {
    EXPECT_TRUE(tensor.is_guard_intact()) << text << ' ' << to_string(name);
    const auto got = bench.values(name);
    const auto& right = want.at(name);
    const double u = tensor.spec.dtype == Dtype::f32 ? 2e-6 : unit_roundoff(tensor.spec.dtype);
    const double limit = 4 * u * std::max(1.0, largest(right));
    std::vector<double> error;
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (got[i] == right[i]) continue;  // Infinities too.
      error.push_back(got[i] - right[i]);
      ASSERT_LE(std::abs(error.back()), limit) << text << ' ' << to_string(name) << '[' << i
                                               << "] got " << got[i] << " want " << right[i];
    }
    error.resize(got.size(), 0);
    EXPECT_LE(rms(error), 2 * u * rms(right) + 1e-6) << text << ' ' << to_string(name);
  }
}

TEST(MutantKernelTest, AgreesWithTheDefinitionForEveryMaskShapeAndDtype) {
  for (const std::string& problem : worker::every_mask_and_shape()) {
    for (const std::string dtype : {"f32", "f16", "bf16"}) {
      expect_naive("dir=fwd+bwd dtype=" + dtype + " dlse=true " + problem);
    }
  }
}

TEST(MutantKernelTest, AgreesWithTheDefinitionRoundTiles) {
  for (const std::string length : {"1", "63", "64", "65", "127x129", "129x128", "1x193", "7x321"}) {
    expect_naive("dir=fwd+bwd dtype=f32 layout=bshd hq=2 hkv=1 d=8 dv=8 mask=full seqs=" + length);
    expect_naive("dir=fwd+bwd dtype=f32 layout=bhsd hq=1 hkv=1 d=8 dv=8 seqs=" + length +
                 " mask=causal(bottom_right)");
  }
}

TEST(MutantKernelTest, MergesTwoAndFourSplits) {
  EXPECT_EQ(split_count(256), 1);
  EXPECT_EQ(split_count(257), 2);
  EXPECT_EQ(split_count(1024), 2);
  EXPECT_EQ(split_count(1025), 4);
  for (const std::string length : {"9x257", "70x1000", "5x1025", "66x1100"}) {
    for (const std::string mask : {"full", "causal(bottom_right)", "window(100,0)"}) {
      expect_naive("dir=fwd+bwd dtype=f32 layout=bshd hq=1 hkv=1 d=16 dv=16 seqs=" + length +
                   " mask=" + mask);
    }
  }
  // Rows that see no key in any split: the first hundred.
  expect_naive(
      "dir=fwd+bwd dtype=f16 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=400x300 "
      "mask=causal(bottom_right)");
}

TEST(MutantKernelTest, HonoursTheScaleAndTheOutputsAskedFor) {
  const std::string shape = " layout=thd hq=2 hkv=1 d=8 dv=8 seqs=40,3 mask=causal(bottom_right)";
  expect_naive("dir=fwd dtype=f32 scale=0.9" + shape);
  expect_naive("dir=fwd dtype=bf16 scale=-0.2 lse=no" + shape);
  expect_naive("dir=fwd+bwd dtype=f32 scale=0.9 lse=no" + shape);
  expect_naive("dir=fwd+bwd dtype=f16 lse=required" + shape);
}

TEST(MutantKernelTest, OneVisibleKeyGivesItsValueBitForBit) {
  Bench bench("dir=fwd dtype=bf16 layout=bhsd hq=2 hkv=2 d=8 dv=8 seqs=133 mask=window(0,0)");
  bench.run(*make_honest_backend());
  EXPECT_EQ(bench.values(TensorName::o), bench.values(TensorName::v));
}

TEST(MutantKernelTest, RowsWithoutKeysAreZeroWithLseMinusInfinityAndZeroGradient) {
  // Bottom-right with 5 queries and 2 keys: the first three rows see nothing.
  Bench bench(
      "dir=fwd+bwd dtype=f32 layout=bshd hq=1 hkv=1 d=3 dv=3 seqs=5x2 mask=causal(bottom_right) "
      "dlse=true");
  bench.run(*make_honest_backend());
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(bench.values(TensorName::lse)[i], -INFINITY);
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(bench.values(TensorName::o)[3 * i + c], 0.0);
      EXPECT_EQ(bench.values(TensorName::dq)[3 * i + c], 0.0);
    }
  }
  EXPECT_TRUE(std::isfinite(bench.values(TensorName::lse)[3]));
}

TEST(MutantKernelTest, ScoresFarOutsideTheRangeOfExpStayFinite) {
  Bench bench("dir=fwd+bwd dtype=f32 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=400 mask=full scale=300");
  bench.run(*make_honest_backend());
  for (const auto& [name, tensor] : bench.outputs) {
    for (const double value : bench.values(name)) ASSERT_TRUE(std::isfinite(value));
  }
}

/// The error of O in units of a sigma made of its rounding and that of P alone: rounding to
/// nearest has variance ulp^2 / 12.
TEST(MutantKernelTest, TheErrorOfOIsThatOfTheTwoRoundingsThatAreDeclared) {
  for (const std::string dtype : {"f16", "bf16"}) {
    Bench bench("dir=fwd dtype=" + dtype + " layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=64x1024 " +
                "mask=full");
    const Dtype storage = bench.problem.dtype;
    const Answer want = worker::naive_attention(bench);
    bench.run(*make_honest_backend());
    const auto got = bench.values(TensorName::o);
    const auto q = bench.values(TensorName::q);
    const auto k = bench.values(TensorName::k);
    const auto v = bench.values(TensorName::v);
    double sum = 0;
    for (std::size_t i = 0; i < 64; ++i) {
      std::vector<double> p(1024);
      for (std::size_t j = 0; j < p.size(); ++j) {
        for (std::size_t c = 0; c < 32; ++c) p[j] += q[32 * i + c] * k[32 * j + c] / std::sqrt(32);
        p[j] = std::exp(p[j] - want.at(TensorName::lse)[i]);
      }
      const double most = *std::max_element(p.begin(), p.end());
      for (std::size_t c = 0; c < 32; ++c) {
        const double o = want.at(TensorName::o)[32 * i + c];
        double variance = ulp(storage, o) * ulp(storage, o) / 12;
        for (std::size_t j = 0; j < p.size(); ++j) {
          const double step = most * ulp(storage, p[j] / most) * v[32 * j + c];
          variance += step * step / 12;
        }
        const double error = got[32 * i + c] - o;
        sum += error * error / variance;
      }
    }
    const double rho = std::sqrt(sum / (64 * 32));
    EXPECT_GT(rho, 0.85) << dtype;
    EXPECT_LT(rho, 1.15) << dtype;
  }
}

}  // namespace
}  // namespace fathom::mutant
