// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/accuracy.h"

#include "harness/checks/limits.h"
#include "harness/checks/tests/synthetic.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <ostream>
#include <random>

namespace fathom {

void PrintTo(const LimitRow& row, std::ostream* out) {  // NOLINT: the name is GoogleTest's
  constexpr std::array families{"generic", "adversarial", "both"};
  *out << to_string(row.tensor) << '_' << to_string(row.dtype) << '_'
       << families[static_cast<std::size_t>(row.family)];
}

namespace {

using Names = std::set<std::string>;
constexpr std::size_t channels = 64;  // Of big_case.

std::string found(TensorName tensor, std::string_view test) {
  return std::string(to_string(tensor)) + ":accuracy." + std::string(test);
}

/// Adds `z` sigma with alternating signs to elements [first, first + count).
Synthetic::Edit off_by(double z, std::size_t first, std::size_t count) {
  return [=](std::vector<double>& got, const OracleTensor& oracle) {
    for (std::size_t i = first; i < first + count; ++i) {
      got[i] = oracle.value[i] + (i % 2 == 0 ? z : -z) * oracle.sigma[i];
    }
  };
}

/// Adds gaussian noise of `z` sigma to everything, on top of what is there.
Synthetic::Edit noisier_by(double z) {
  return [=](std::vector<double>& got, const OracleTensor& oracle) {
    std::mt19937_64 generator(7);
    std::normal_distribution<double> normal;
    for (std::size_t i = 0; i < got.size(); ++i) got[i] += z * oracle.sigma[i] * normal(generator);
  };
}

Synthetic::Edit times(double factor) {
  return [=](std::vector<double>& got, const OracleTensor&) {
    for (double& x : got) x *= factor;
  };
}

/// Moves everything away from 0 by `z` sigma.
Synthetic::Edit outwards_by(double z) {
  return [=](std::vector<double>& got, const OracleTensor& oracle) {
    for (std::size_t i = 0; i < got.size(); ++i) {
      got[i] += std::copysign(z * oracle.sigma[i], oracle.value[i]);
    }
  };
}

class AccuracyLimitTest : public testing::TestWithParam<LimitRow> {
 protected:
  static Synthetic honest(Fill generic = Fill::normal) {
    const LimitRow& row = GetParam();
    return Synthetic(
        big_case(row.dtype, row.family == Family::adversarial ? Fill::sink_token : generic));
  }
  static Names all(const Synthetic& s) { return run_all(s.observation()); }
  static TensorName tensor() { return GetParam().tensor; }
};

TEST_P(AccuracyLimitTest, AnHonestTensorPasses) {
  EXPECT_EQ(all(honest()), Names{});
}

TEST_P(AccuracyLimitTest, OneBadRowFailsRowRhoAlone) {
  const double limit = *GetParam().row_rho;
  Synthetic s = honest();
  EXPECT_EQ(all(s.plant(tensor(), off_by(1.1 * limit, 5 * channels, channels))),
            Names{found(tensor(), "row_rho")});
  EXPECT_EQ(all(s.plant(tensor(), off_by(0.7 * limit, 5 * channels, channels))), Names{});
}

TEST_P(AccuracyLimitTest, OneBadElementFailsZMaxAlone) {
  const double limit = *GetParam().z_max;
  Synthetic s = honest();
  EXPECT_EQ(all(s.plant(tensor(), off_by(1.3 * limit, 777, 1))), Names{found(tensor(), "z_max")});
  EXPECT_EQ(all(s.plant(tensor(), off_by(0.75 * limit, 777, 1))), Names{});
}

TEST_P(AccuracyLimitTest, NoiseEverywhereFailsTensorRhoAlone) {
  const auto extra = [&](double rho) { return noisier_by(std::sqrt(rho * rho - 1)); };
  if (!GetParam().tensor_rho) {
    EXPECT_EQ(all(honest().plant(tensor(), extra(1.5))), Names{});
    return;
  }
  const double limit = *GetParam().tensor_rho;
  EXPECT_EQ(all(honest().plant(tensor(), extra(1.08 * limit))),
            Names{found(tensor(), "tensor_rho")});
  EXPECT_EQ(all(honest().plant(tensor(), extra(0.9 * limit))), Names{});
}

TEST_P(AccuracyLimitTest, ALeanFailsBiasAlone) {
  if (!GetParam().bias_z) {
    EXPECT_EQ(all(honest().plant(tensor(), outwards_by(0.1))), Names{});
    return;
  }
  const double per_element = *GetParam().bias_z / std::sqrt(1024.0 * channels);
  EXPECT_EQ(all(honest().plant(tensor(), outwards_by(1.3 * per_element))),
            Names{found(tensor(), "bias_z")});
  EXPECT_EQ(all(honest().plant(tensor(), outwards_by(0.5 * per_element))), Names{});
}

TEST_P(AccuracyLimitTest, ACommonFactorFailsGainAlone) {
  if (!GetParam().gain) {
    EXPECT_EQ(all(honest(Fill::peaked).plant(tensor(), times(1 + 2e-6))), Names{});
    return;
  }
  // `peaked` is outside the scope of the bias test, which would see the factor too.
  EXPECT_EQ(all(honest(Fill::peaked).plant(tensor(), times(1 + 1.1 * *GetParam().gain))),
            Names{found(tensor(), "gain")});
  EXPECT_EQ(all(honest(Fill::peaked).plant(tensor(), times(1 + 0.8 * *GetParam().gain))), Names{});
}

TEST_P(AccuracyLimitTest, ZerosNeverPass) {
  Synthetic s = honest();
  s.plant(tensor(), times(0));
  EXPECT_TRUE(all(s).contains(found(tensor(), "z_max")));
}

TEST_P(AccuracyLimitTest, NanNeverPasses) {
  Synthetic s = honest();
  s.plant(tensor(), [](std::vector<double>& got, const OracleTensor&) {
    got[99] = std::numeric_limits<double>::quiet_NaN();
  });
  const Names names = run_check("accuracy", s.observation());
  EXPECT_TRUE(names.contains(found(tensor(), "z_max")));
  EXPECT_TRUE(names.contains(found(tensor(), "row_rho")));
}

std::string row_name(const testing::TestParamInfo<LimitRow>& row) {
  return testing::PrintToString(row.param);
}
INSTANTIATE_TEST_SUITE_P(EveryRow, AccuracyLimitTest,
                         testing::ValuesIn(limit_rows().begin(), limit_rows().end()), row_name);

TEST(AccuracyTest, OneElementBeyondTheHardBoundFailsItAlone) {
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    Synthetic s(big_case(dtype, Fill::normal));
    OracleTensor& o = s.oracle.at(TensorName::o);
    for (std::size_t i = 0; i < o.bound.size(); ++i) o.bound[i] = 3 * o.sigma[i];
    EXPECT_EQ(run_all(s.observation()), Names{});
    EXPECT_EQ(run_all(s.plant(TensorName::o, off_by(5, 123, 1)).observation()),
              Names{"o:accuracy.hard_bound"});
  }
}

TEST(AccuracyTest, ADegradedAnswerSaysSo) {
  Synthetic s(big_case(Dtype::bf16, Fill::normal));
  s.plant(TensorName::o, off_by(2.7, 5 * channels, channels));
  const Judgement judgement = judge(s.observation());
  ASSERT_EQ(judgement.findings.size(), 1U);
  EXPECT_NE(judgement.reason.find("numerically degraded"), std::string::npos);
  EXPECT_NE(judgement.reason.find("sequence 0, head 0, row 5"), std::string::npos);
}

TEST(AccuracyTest, Fp64IsHeldToOneRelativeError) {
  for (const TensorName tensor : {TensorName::o, TensorName::dq, TensorName::dk, TensorName::dv}) {
    Synthetic s(big_case(Dtype::f64, Fill::normal));
    EXPECT_EQ(run_all(s.observation()), Names{});
    s.plant(tensor, times(1 + 0.5e-12));
    EXPECT_EQ(run_all(s.observation()), Names{});
    s.plant(tensor, times(1 + 1e-12));
    EXPECT_EQ(run_all(s.observation()), Names{found(tensor, "rel_f")});
  }
}

TEST(AccuracyTest, TheMeanOfTruncationIsSubtracted) {
  Synthetic s(big_case(Dtype::bf16, Fill::normal));
  s.arithmetic.out_round = Rounding::rtz;
  OracleTensor& o = s.oracle.at(TensorName::o);
  for (std::size_t i = 0; i < o.value.size(); ++i) {
    o.mean.push_back(-0.5 * std::copysign(ulp(Dtype::bf16, o.value[i]), o.value[i]));
  }
  s.plant(TensorName::o, [](std::vector<double>& got, const OracleTensor& oracle) {
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double step = ulp(Dtype::bf16, oracle.value[i]);
      got[i] = std::trunc(oracle.value[i] / step) * step;
    }
  });
  EXPECT_EQ(run_all(s.observation()), Names{});
  s.oracle.at(TensorName::o).mean.clear();
  s.arithmetic.out_round = Rounding::rne;
  const Names undeclared = run_all(s.observation());
  for (const char* test : {"tensor_rho", "bias_z", "gain"}) {
    EXPECT_TRUE(undeclared.contains(found(TensorName::o, test))) << test;
  }
}

TEST(AccuracyTest, AnHonestOverflowIsNoError) {
  Synthetic s(small_case("full"));
  s.c.problem.dtype = Dtype::f16;
  s = Synthetic(s.c);
  for (auto* values : {&s.oracle.at(TensorName::o).value, &s.got.at(TensorName::o)}) {
    (*values)[3] = 70000;
  }
  EXPECT_EQ(run_all(s.observation()), Names{});
  s.oracle.at(TensorName::o).value[3] = -70000;
  EXPECT_TRUE(run_all(s.observation()).contains("o:finite"));
}

}  // namespace
}  // namespace fathom
