// SPDX-License-Identifier: Apache-2.0
#include "reference/plain.h"

#include "reference/tests/support.h"

#include <gtest/gtest.h>

namespace fathom::reference {
namespace {

std::shared_ptr<const PlainAnswer> plain(const Problem& p, const TensorSet& inputs,
                                         PlainVariant variant = PlainVariant::scaled_k) {
  return compute_plain(p, inputs, variant, runnable_kernels().front(), 2);
}

/// The steps by hand on two keys whose every rounding is visible.
TEST(PlainTest, EveryStepIsRoundedToTheDtype) {
  const Problem p = parse_problem(
      "dir=fwd+bwd dtype=bf16 layout=bshd hq=1 hkv=1 d=1 dv=1 seqs=1x2 mask=full scale=0.3 "
      "lse=required dlse=true");
  TensorSet inputs = constant_inputs(p, 1.703125, 0, 0);
  inputs[TensorName::k] = make_tensor(inputs[TensorName::k].spec, {1.3984375, -0.6015625});
  inputs[TensorName::v] = make_tensor(inputs[TensorName::v].spec, {0.30078125, 1.5});
  inputs[TensorName::dout] = make_tensor(inputs[TensorName::dout].spec, {0.7109375});
  inputs[TensorName::dlse] = make_tensor(inputs[TensorName::dlse].spec, {0.123});
  const auto rd = [](double x) { return round_to(Dtype::bf16, x); };
  const float scale = 0.3F;
  const double k[] = {rd(scale * 1.3984375F), rd(scale * -0.6015625F)};
  const double s[] = {rd(1.703125 * k[0]), rd(1.703125 * k[1])};
  const double sum = 1 + std::exp(s[1] - s[0]);
  const double w[] = {rd(1 / sum), rd(std::exp(s[1] - s[0]) / sum)};
  const double dp[] = {rd(0.7109375 * 0.30078125), rd(0.7109375 * 1.5)};
  const double dot = w[0] * dp[0] + w[1] * dp[1];
  const double ds[] = {rd(w[0] * (dp[0] - dot + 0.123F)), rd(w[1] * (dp[1] - dot + 0.123F))};
  const PlainAnswer got = *plain(p, inputs);
  EXPECT_EQ(got.at(TensorName::o)[0], rd(w[0] * 0.30078125 + w[1] * 1.5));
  EXPECT_EQ(got.at(TensorName::dq)[0], rd(ds[0] * k[0] + ds[1] * k[1]));
  for (const std::size_t j : {0U, 1U}) {
    EXPECT_EQ(got.at(TensorName::dv)[j], rd(w[j] * 0.7109375));
    EXPECT_EQ(got.at(TensorName::dk)[j], rd(scale * rd(ds[j] * 1.703125)));
  }
}

TEST(PlainTest, TheSecondVariantSharesTheScaleBetweenQAndK) {
  for (const double sign : {1.0, -1.0}) {
    Problem p = parse_problem(
        "dir=fwd+bwd dtype=bf16 layout=bshd hq=1 hkv=1 d=1 dv=1 seqs=1x2 mask=full scale=0.3");
    *p.softmax_scale *= sign;
    TensorSet inputs = constant_inputs(p, 1.703125, 0, 0);
    inputs[TensorName::k] = make_tensor(inputs[TensorName::k].spec, {1.3984375, -0.6015625});
    inputs[TensorName::v] = make_tensor(inputs[TensorName::v].spec, {0.30078125, 1.5});
    inputs[TensorName::dout] = make_tensor(inputs[TensorName::dout].spec, {0.7109375});
    const auto rd = [](double x) { return round_to(Dtype::bf16, x); };
    const auto root = static_cast<float>(std::sqrt(0.3));
    const double q = rd(sign * root * 1.703125F);
    const double k[] = {rd(root * 1.3984375F), rd(root * -0.6015625F)};
    const double s[] = {rd(q * k[0]), rd(q * k[1])};
    const double sum = std::exp(s[0]) + std::exp(s[1]);
    const double w[] = {rd(std::exp(s[0]) / sum), rd(std::exp(s[1]) / sum)};
    const double dp[] = {rd(0.7109375 * 0.30078125), rd(0.7109375 * 1.5)};
    const double dot = w[0] * dp[0] + w[1] * dp[1];
    const double ds[] = {rd(w[0] * (dp[0] - dot)), rd(w[1] * (dp[1] - dot))};
    const PlainAnswer got = *plain(p, inputs, PlainVariant::scaled_both);
    EXPECT_EQ(got.at(TensorName::o)[0], rd(w[0] * 0.30078125 + w[1] * 1.5));
    EXPECT_EQ(got.at(TensorName::dq)[0], rd(sign * root * rd(ds[0] * k[0] + ds[1] * k[1])));
    for (const std::size_t j : {0U, 1U}) {
      EXPECT_EQ(got.at(TensorName::dv)[j], rd(w[j] * 0.7109375));
      EXPECT_EQ(got.at(TensorName::dk)[j], rd(root * rd(ds[j] * q)));
    }
  }
}

TEST(PlainTest, LiesNearTheTruthWithTheErrorOfItsDtype) {
  const std::string rest =
      " layout=thd hq=4 hkv=2 d=32 dv=16 seqs=90,40x70,0,6x3 mask=causal(bottom_right) "
      "lse=required dlse=true";
  double previous = 1;
  for (const char* dtype : {"bf16", "f16", "f32"}) {
    SCOPED_TRACE(dtype);
    const Problem p = parse_problem("dir=fwd+bwd dtype=" + std::string(dtype) + rest);
    const TensorSet inputs = normal_inputs(p);
    const OracleAnswer truth = ask(p, inputs);
    const PlainAnswer got = *plain(p, inputs);
    double worst = 0;
    for (const auto& [name, values] : got) {
      double error = 0;
      double size = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        error += (values[i] - truth.at(name).value[i]) * (values[i] - truth.at(name).value[i]);
        size += truth.at(name).value[i] * truth.at(name).value[i];
        EXPECT_EQ(values[i], round_to(p.dtype, values[i]));
      }
      worst = std::max(worst, std::sqrt(error / size));
    }
    EXPECT_EQ(got.size(), 4U);
    EXPECT_LT(worst, 8 * unit_roundoff(p.dtype));
    EXPECT_GT(worst, 0.2 * unit_roundoff(p.dtype));
    EXPECT_LT(worst, previous / 4);
    previous = worst;
  }
}

TEST(PlainTest, OverflowBecomesInfinityAsItWouldInTheDtype) {
  const Problem p = parse_problem(
      "dir=fwd+bwd dtype=f16 layout=bshd hq=1 hkv=1 d=1 dv=1 seqs=1x1 mask=full scale=1");
  TensorSet inputs = constant_inputs(p, 1, 1, 200);
  inputs[TensorName::dout] = make_tensor(inputs[TensorName::dout].spec, {600});
  // dP = 120000 does not exist in fp16.
  EXPECT_FALSE(std::isfinite(plain(p, inputs)->at(TensorName::dq)[0]));
  EXPECT_EQ(plain(p, inputs)->at(TensorName::o)[0], 200);
}

TEST(PlainTest, IsRefusedInFp64AndWhereScoresWouldNotFit) {
  const std::string rest = " layout=bshd hq=1 hkv=1 d=1 dv=1 mask=full seqs=";
  const auto given = [&](const std::string& problem) {
    const Problem p = parse_problem(problem);
    return plain(p, normal_inputs(p)) != nullptr;
  };
  EXPECT_FALSE(given("dir=fwd dtype=f64" + rest + "4"));
  EXPECT_FALSE(given("dir=fwd dtype=bf16" + rest + "1x4194305"));
  EXPECT_TRUE(given("dir=fwd dtype=bf16" + rest + "4"));
}

}  // namespace
}  // namespace fathom::reference
