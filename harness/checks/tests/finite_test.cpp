// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/finite.h"

#include "harness/checks/tests/synthetic.h"
#include "harness/core/types.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

using Names = std::set<std::string>;

TEST(FiniteTest, NanAndInfinityAreFoundInEveryOutput) {
  for (const TensorName name :
       {TensorName::o, TensorName::lse, TensorName::dq, TensorName::dk, TensorName::dv}) {
    for (const double bad : {nan, infinity, -infinity}) {
      Synthetic s(small_case("full"));
      EXPECT_EQ(run_check("finite", s.observation()), Names{});
      s.plant(name, [&](std::vector<double>& got, const OracleTensor&) { got[7] = bad; });
      EXPECT_EQ(run_check("finite", s.observation()),
                Names{std::string(to_string(name)) + ":finite"});
      const Judgement judgement = judge(s.observation());
      EXPECT_EQ(judgement.verdict, Verdict::fail);
      EXPECT_EQ(judgement.fail_class, FailClass::nonfinite);
    }
  }
}

TEST(FiniteTest, TheFirstBadElementIsNamed) {
  Synthetic s(small_case("full"));
  s.plant(TensorName::dv, [&](std::vector<double>& got, const OracleTensor&) {
    got[8 * 9 + 4] = nan;
    got[8 * 11] = nan;
  });
  const std::string reason = judge(s.observation()).reason;
  EXPECT_NE(reason.find("2 elements"), std::string::npos) << reason;
  EXPECT_NE(reason.find("row 9, channel 4: got nan"), std::string::npos) << reason;
}

TEST(FiniteTest, TheInfiniteLseOfAnEmptyRowIsNotItsBusiness) {
  EXPECT_EQ(
      run_check("finite", Synthetic(small_case("causal(bottom_right)", 16, 12)).observation()),
      Names{});
}

}  // namespace
}  // namespace fathom
