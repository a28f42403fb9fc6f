// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/lse.h"

#include "harness/checks/tests/synthetic.h"
#include "harness/core/types.h"

#include <gtest/gtest.h>

#include <limits>

namespace fathom {
namespace {

using Names = std::set<std::string>;

Synthetic::Edit add_to_row(std::size_t row, double error) {
  return [=](std::vector<double>& got, const OracleTensor&) { got[row] += error; };
}
Synthetic::Edit set_lse(std::size_t row, double value) {
  return [=](std::vector<double>& got, const OracleTensor&) { got[row] = value; };
}

TEST(LseTest, OneRowBeyondTheOraclesLimitFails) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    Synthetic s(big_case(dtype, Fill::flat));
    const double limit = s.oracle.at(TensorName::lse).bound[300];
    EXPECT_EQ(run_all(s.observation()), Names{});
    s.plant(TensorName::lse, add_to_row(300, 0.7 * limit));
    EXPECT_EQ(run_all(s.observation()), Names{});
    s.plant(TensorName::lse, add_to_row(300, 0.7 * limit));
    EXPECT_EQ(run_all(s.observation()), Names{"lse:lse"});
    const Judgement judgement = judge(s.observation());
    EXPECT_EQ(judgement.fail_class, FailClass::accuracy);
    EXPECT_NE(judgement.reason.find("head 2, row 44:"), std::string::npos) << judgement.reason;
  }
}

TEST(LseTest, Fp64IsHeldToOneInTenToTheTwelve) {
  Synthetic s(big_case(Dtype::f64, Fill::normal));
  s.oracle.at(TensorName::lse).value[5] = s.got.at(TensorName::lse)[5] = 10;
  s.plant(TensorName::lse, add_to_row(5, 0.9e-11));
  EXPECT_EQ(run_all(s.observation()), Names{});
  s.plant(TensorName::lse, add_to_row(5, 0.2e-11));
  EXPECT_EQ(run_all(s.observation()), Names{"lse:lse"});
}

TEST(LseTest, EmptyRowsFollowTheDeclaredConvention) {
  struct Row {
    EmptyRowLse convention;
    double value;
  };
  const std::vector<Row> conventions{{EmptyRowLse::minus_inf, -infinity},
                                     {EmptyRowLse::plus_inf, infinity},
                                     {EmptyRowLse::zero, 0}};
  for (const Row& declared : conventions) {
    for (const Row& given : conventions) {
      Synthetic s(small_case("causal(bottom_right)", 16, 12));
      s.arithmetic.empty_row_lse = declared.convention;
      for (std::size_t row = 0; row < 4; ++row) s.plant(TensorName::lse, set_lse(row, given.value));
      const bool same = declared.convention == given.convention;
      EXPECT_EQ(run_all(s.observation()), same ? Names{} : Names{"lse:lse.empty_row"});
      const Judgement judgement = judge(s.observation());
      EXPECT_EQ(judgement.verdict, same ? Verdict::pass : Verdict::fail);
      EXPECT_EQ(judgement.fail_class, same ? FailClass::none : FailClass::contract);
    }
  }
}

TEST(LseTest, NanIsNoConvention) {
  Synthetic s(small_case("causal(bottom_right)", 16, 12));
  s.plant(TensorName::lse, set_lse(1, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(run_all(s.observation()), Names{"lse:lse.empty_row"});
}

TEST(LseTest, NanInARowWithKeysFails) {
  Synthetic s(small_case("full"));
  s.plant(TensorName::lse, set_lse(1, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(run_check("lse", s.observation()), Names{"lse:lse"});
}

TEST(LseTest, AnLseThatWasNotAskedForIsNotJudged) {
  Case c = small_case("full");
  c.problem.lse = LseRequest::no;
  EXPECT_EQ(run_all(Synthetic(c).observation()), Names{});
}

}  // namespace
}  // namespace fathom
