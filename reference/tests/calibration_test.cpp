// SPDX-License-Identifier: Apache-2.0

// Sigma predicts the error of an honest kernel with no fitted number: the rms of error / sigma is
// near 1 in every tensor. A changed term of the model moves it out of these limits.

#include "reference/tests/honest_kernel.h"
#include "reference/tests/support.h"

#include <gtest/gtest.h>

namespace fathom::reference {
namespace {

enum class Draw { normal, flat, uniform11 };

TensorSet draw_inputs(const Problem& problem, Draw draw, double dlse_size = 1) {
  std::mt19937_64 bits(11);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(-1, 1);
  return make_test_inputs(problem, [&](TensorName name) {
    const double x = draw == Draw::uniform11 ? uniform(bits) : normal(bits);
    if (name == TensorName::dlse) return dlse_size * x;
    return draw == Draw::flat && name == TensorName::q ? 0.05 * x : x;
  });
}

/// rms of (got - want - mean) / sigma.
double tensor_rho(const std::vector<double>& got, const OracleTensor& want, bool use_mean = true) {
  double sum = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double mean = use_mean && !want.mean.empty() ? want.mean[i] : 0;
    const double z = (got[i] - want.value[i] - mean) / want.sigma[i];
    sum += z * z;
  }
  return std::sqrt(sum / static_cast<double>(got.size()));
}

double largest_share(const std::vector<double>& got, const OracleTensor& want) {
  double share = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    share = std::max(share, std::abs(got[i] - want.value[i]) / want.bound[i]);
  return share;
}

Problem problem_of(const std::string& dtype, const std::string& rest) {
  return parse_problem("dtype=" + dtype + " layout=bhsd hq=1 hkv=1 d=64 dv=64 mask=full " + rest);
}

void expect_between(double low, double value, double high, const char* what) {
  EXPECT_GE(value, low) << what;
  EXPECT_LE(value, high) << what;
  testing::Test::RecordProperty(what, std::to_string(value));
}

TEST(CalibrationTest, SigmaIsTheErrorOfAnHonestSixteenBitKernel) {
  for (const char* dtype : {"bf16", "f16"}) {
    for (const Draw draw : {Draw::normal, Draw::flat, Draw::uniform11}) {
      SCOPED_TRACE(dtype + std::to_string(static_cast<int>(draw)));
      const Problem p = problem_of(dtype, "dir=fwd+bwd seqs=128x1024");
      const TensorSet inputs = draw_inputs(p, draw);
      const HonestAnswer got = run_honest_kernel(p, inputs, nearest(p.dtype, p.dtype));
      const OracleAnswer want = ask(p, inputs);
      expect_between(0.9, tensor_rho(got.o, want.at(TensorName::o)), 1.1, "O");
      expect_between(0.95, tensor_rho(got.dv, want.at(TensorName::dv)), 1.05, "dV");
      expect_between(0.95, tensor_rho(got.dq, want.at(TensorName::dq)), 1.05, "dQ");
      expect_between(0.95, tensor_rho(got.dk, want.at(TensorName::dk)), 1.05, "dK");
      EXPECT_LE(largest_share(got.o, want.at(TensorName::o)), 1);
      EXPECT_LE(largest_share(got.lse, want.at(TensorName::lse)), 1);
    }
  }
}

TEST(CalibrationTest, SigmaIsTheErrorOfAKernelThatKeepsWeightsInFp32) {
  const Problem p = problem_of("bf16", "dir=fwd+bwd seqs=128x1024");
  const TensorSet inputs = draw_inputs(p, Draw::normal);
  const HonestAnswer got = run_honest_kernel(p, inputs, nearest(Dtype::f32, p.dtype));
  const OracleAnswer want = ask(p, inputs, upcast_arithmetic(p.dtype));
  expect_between(0.9, tensor_rho(got.o, want.at(TensorName::o)), 1.1, "O");
  expect_between(0.95, tensor_rho(got.dv, want.at(TensorName::dv)), 1.05, "dV");
  expect_between(0.95, tensor_rho(got.dq, want.at(TensorName::dq)), 1.05, "dQ");
  expect_between(0.95, tensor_rho(got.dk, want.at(TensorName::dk)), 1.05, "dK");
  // The declaration matters: the same output is far inside the budget of rounded weights.
  EXPECT_LT(tensor_rho(got.o, ask(p, inputs).at(TensorName::o)), 0.8);
}

TEST(CalibrationTest, AnLseCotangentEntersTheErrorOfDqAndDk) {
  for (const double size : {1.0, 300.0}) {
    SCOPED_TRACE(size);
    const Problem p = problem_of("bf16", "dir=fwd+bwd seqs=128x1024 lse=required dlse=true");
    const TensorSet inputs = draw_inputs(p, Draw::normal, size);
    const HonestAnswer got = run_honest_kernel(p, inputs, nearest(p.dtype, p.dtype));
    const OracleAnswer want = ask(p, inputs);
    expect_between(0.95, tensor_rho(got.dq, want.at(TensorName::dq)), 1.05, "dQ");
    expect_between(0.95, tensor_rho(got.dk, want.at(TensorName::dk)), 1.05, "dK");
  }
}

TEST(CalibrationTest, TruncationIsAMeanErrorAndTheSameSigma) {
  for (const char* dtype : {"bf16", "f16"}) {
    SCOPED_TRACE(dtype);
    const Problem p = problem_of(dtype, "dir=fwd seqs=128x1024");
    const TensorSet inputs = draw_inputs(p, Draw::normal);
    Roundings cut = nearest(p.dtype, p.dtype);
    cut.p = cut.out = [&](double x) { return truncate_to(p.dtype, x); };
    Arithmetic declared = flash_arithmetic(p.dtype);
    declared.p_round = declared.out_round = Rounding::rtz;
    const HonestAnswer got = run_honest_kernel(p, inputs, cut);
    const OracleAnswer want = ask(p, inputs, declared);
    expect_between(0.95, tensor_rho(got.o, want.at(TensorName::o)), 1.05, "O");
    EXPECT_GT(tensor_rho(got.o, want.at(TensorName::o), false), 1.3);
    EXPECT_LE(largest_share(got.o, want.at(TensorName::o)), 1);
    EXPECT_TRUE(ask(p, inputs).at(TensorName::o).mean.empty());
  }
}

TEST(CalibrationTest, PartialResultsInBf16AreInTheirSigma) {
  const Problem p = problem_of("bf16", "dir=fwd seqs=128x1024");
  const TensorSet inputs = draw_inputs(p, Draw::normal);
  Roundings split = nearest(p.dtype, p.dtype);
  split.partial = [](double x) { return round_to(Dtype::bf16, x); };
  split.split = 512;
  Arithmetic declared = flash_arithmetic(p.dtype);
  declared.split_partial = Dtype::bf16;
  const HonestAnswer got = run_honest_kernel(p, inputs, split);
  const double rho = tensor_rho(got.o, ask(p, inputs, declared).at(TensorName::o));
  expect_between(0.85, rho, 1.1, "O");
  EXPECT_GT(tensor_rho(got.o, ask(p, inputs).at(TensorName::o)), rho);
}

TEST(CalibrationTest, Fp32ErrorsStayWithinTheirSigma) {
  const Problem p = problem_of("f32", "dir=fwd+bwd seqs=128x1024");
  const TensorSet inputs = draw_inputs(p, Draw::normal);
  const HonestAnswer got = run_honest_kernel(p, inputs, nearest(p.dtype, p.dtype));
  const OracleAnswer want = ask(p, inputs);
  // The fp32 terms are worst cases of many kernels' orders of summation: an upper estimate.
  expect_between(0.3, tensor_rho(got.o, want.at(TensorName::o)), 2, "O");
  expect_between(0.3, tensor_rho(got.dv, want.at(TensorName::dv)), 2, "dV");
  expect_between(0.3, tensor_rho(got.dq, want.at(TensorName::dq)), 2, "dQ");
  expect_between(0.3, tensor_rho(got.dk, want.at(TensorName::dk)), 2, "dK");
  EXPECT_LE(largest_share(got.lse, want.at(TensorName::lse)), 1);
}

}  // namespace
}  // namespace fathom::reference
