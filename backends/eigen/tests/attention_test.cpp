// SPDX-License-Identifier: Apache-2.0
#include "backends/eigen/backend.h"
#include "harness/worker/tests/naive_attention.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fathom::eigen {
namespace {

using worker::Answer;
using worker::Bench;

void run(Bench& bench) {
  bench.run(*make_backend());
}

/// The error of an answer that is computed in fp32 and rounded once: half an ulp of storage, and
/// the fp32 part, which is relative to the size of the tensor's numbers.
double limit(Dtype dtype, double want, double largest) {
  if (dtype == Dtype::f64) return 1e-13 * std::max(1.0, largest);
  const double fp32 = 4e-6 * std::max(1.0, largest);
  return dtype == Dtype::f32 ? fp32 : 0.5 * ulp(dtype, want) + fp32;
}

void expect_naive(const std::string& text) {
  Bench bench(text);
  const Answer want = worker::naive_attention(bench);
  run(bench);
  for (const auto& [name, tensor] : bench.outputs) {
    const auto got = bench.values(name);
    double largest = 0;
    for (const double x : want.at(name)) {
      if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double expected = want.at(name)[i];
      if (got[i] == expected) continue;  // Infinities too.
      ASSERT_LE(std::abs(got[i] - expected), limit(tensor.spec.dtype, expected, largest))
          << text << ' ' << to_string(name) << '[' << i << "] got " << got[i] << " want "
          << expected;
    }
  }
}

TEST(EigenAttentionTest, AgreesWithTheDefinitionForEveryMaskShapeAndDtype) {
  for (const std::string& problem : worker::every_mask_and_shape()) {
    for (const DtypeInfo& dtype : dtypes) {
      expect_naive("dir=fwd+bwd dtype=" + std::string(dtype.name) + " dlse=true " + problem);
    }
  }
}

TEST(EigenAttentionTest, HonoursTheScaleAndTheOutputsAskedFor) {
  const std::string shape = " layout=thd hq=2 hkv=1 d=8 dv=8 seqs=40,3 mask=causal(bottom_right)";
  expect_naive("dir=fwd dtype=f32 scale=0.9" + shape);
  expect_naive("dir=fwd dtype=bf16 scale=-0.2 lse=no" + shape);
  expect_naive("dir=fwd+bwd dtype=f64 scale=0.9 lse=no" + shape);
  expect_naive("dir=fwd+bwd dtype=f16 lse=required" + shape);
}

TEST(EigenAttentionTest, EqualScoresGiveTheMeanOfTheVisibleValues) {
  Bench bench("dir=fwd dtype=f64 layout=bshd hq=1 hkv=1 d=4 dv=2 seqs=200 mask=causal(top_left)");
  bench.set(TensorName::q, std::vector<double>(800, 0.0));
  std::vector<double> v;
  for (int j = 0; j < 200; ++j) v.insert(v.end(), {static_cast<double>(j), 1.0});
  bench.set(TensorName::v, v);
  run(bench);
  const auto o = bench.values(TensorName::o);
  const auto lse = bench.values(TensorName::lse);
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(o[2 * i], static_cast<double>(i) / 2);
    EXPECT_EQ(o[2 * i + 1], 1.0);
    EXPECT_NEAR(lse[i], std::log(static_cast<double>(i + 1)), 1e-14);
  }
}

TEST(EigenAttentionTest, OneVisibleKeyGivesItsValueBitForBit) {
  Bench bench("dir=fwd dtype=bf16 layout=bhsd hq=2 hkv=2 d=8 dv=8 seqs=33 mask=window(0,0)");
  run(bench);
  EXPECT_EQ(bench.values(TensorName::o), bench.values(TensorName::v));
}

TEST(EigenAttentionTest, RowsWithoutKeysAreZeroWithLseMinusInfinityAndZeroGradient) {
  // Bottom-right with 5 queries and 2 keys: the first three rows see nothing.
  Bench bench(
      "dir=fwd+bwd dtype=f32 layout=bshd hq=1 hkv=1 d=3 dv=3 seqs=5x2 mask=causal(bottom_right) "
      "dlse=true");
  run(bench);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(bench.values(TensorName::lse)[i], -INFINITY);
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(bench.values(TensorName::o)[3 * i + c], 0.0);
      EXPECT_EQ(bench.values(TensorName::dq)[3 * i + c], 0.0);
    }
  }
  EXPECT_TRUE(std::isfinite(bench.values(TensorName::lse)[3]));
}

TEST(EigenAttentionTest, ScoresFarOutsideTheRangeOfExpStayFinite) {
  Bench bench("dir=fwd+bwd dtype=f32 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=40 mask=full scale=300");
  run(bench);
  for (const auto& [name, tensor] : bench.outputs) {
    for (const double value : bench.values(name)) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(EigenAttentionTest, TwoRunsAreEqualBitForBit) {
  Bench first("dir=fwd+bwd dtype=bf16 layout=thd hq=4 hkv=2 d=32 dv=32 seqs=300,20 mask=full");
  Bench second = first;
  run(first);
  run(second);
  for (const auto& [name, tensor] : first.outputs) {
    EXPECT_EQ(tensor.memory, second.outputs.at(name).memory);
  }
}

/// <dout, O> + <dlse, LSE>, the number whose gradients the backward pass returns.
double loss(Bench& bench) {
  run(bench);
  double sum = 0;
  for (const auto& [cotangent, output] :
       {std::pair{TensorName::dout, TensorName::o}, {TensorName::dlse, TensorName::lse}}) {
    const auto d = bench.values(cotangent);
    const auto x = bench.values(output);
    for (std::size_t i = 0; i < x.size(); ++i) sum += std::isfinite(x[i]) ? d[i] * x[i] : 0.0;
  }
  return sum;
}

TEST(EigenAttentionTest, GradientsAreTheFiniteDifferencesOfTheForward) {
  for (const std::string mask : {"prefix_lm", "causal(bottom_right)", "window(2,1)"}) {
    const std::string prefix = mask == "prefix_lm" ? "p3" : "";
    Bench bench("dir=fwd+bwd dtype=f64 layout=thd hq=2 hkv=1 d=3 dv=2 dlse=true seqs=6" + prefix +
                ",4x5" + prefix + ",2x1 mask=" + mask);
    loss(bench);
    for (const auto& [input, gradient] : {std::pair{TensorName::q, TensorName::dq},
                                          {TensorName::k, TensorName::dk},
                                          {TensorName::v, TensorName::dv}}) {
      Bench probe = bench;
      const auto want = bench.values(gradient);
      const auto x = bench.values(input);
      for (std::size_t i = 0; i < x.size(); ++i) {
        auto moved = x;
        moved[i] = x[i] + 1e-5;
        probe.set(input, moved);
        const double up = loss(probe);
        moved[i] = x[i] - 1e-5;
        probe.set(input, moved);
        EXPECT_NEAR((up - loss(probe)) / 2e-5, want[i], 1e-8) << mask << to_string(input) << i;
      }
    }
  }
}

}  // namespace
}  // namespace fathom::eigen
