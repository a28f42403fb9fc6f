// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/judge.h"

#include "harness/checks/tests/synthetic.h"
#include "harness/core/error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace fathom {
namespace {

void make_zero(Synthetic& s, TensorName name) {
  for (auto* values : {&s.oracle.at(name).value, &s.got.at(name)}) {
    std::fill(values->begin(), values->end(), 0.0);
  }
}

/// Errors so large that the budget swallows the values themselves.
void drown(Synthetic& s, TensorName name) {
  OracleTensor& tensor = s.oracle.at(name);
  for (double& sigma : tensor.sigma) sigma = 100;
  for (double& bound : tensor.bound) bound = 1000;
}

const TensorMetrics& metrics(const Judgement& judgement, TensorName name) {
  return *std::find_if(judgement.tensors.begin(), judgement.tensors.end(),
                       [&](const TensorMetrics& m) { return m.tensor == to_string(name); });
}

TEST(JudgeTest, AnHonestAnswerPassesInEveryDtype) {
  for (const DtypeInfo& dtype : dtypes) {
    const Judgement judgement = judge(Synthetic(big_case(dtype.dtype, Fill::normal)).observation());
    EXPECT_EQ(judgement.verdict, Verdict::pass) << judgement.reason;
    EXPECT_EQ(judgement.fail_class, FailClass::none);
    EXPECT_EQ(judgement.reason, "");
    EXPECT_EQ(judgement.tensors.size(), 5U);
    for (const TensorMetrics& tensor : judgement.tensors) EXPECT_FALSE(tensor.zero_would_pass);
  }
}

TEST(JudgeTest, ATensorThatZeroWouldSatisfyMakesAPassVacuous) {
  for (const TensorName name : {TensorName::o, TensorName::dq, TensorName::dk, TensorName::dv}) {
    Synthetic s(small_case("full"));
    drown(s, name);
    const Judgement judgement = judge(s.observation());
    EXPECT_EQ(judgement.verdict, Verdict::vacuous);
    EXPECT_EQ(judgement.fail_class, FailClass::none);
    EXPECT_NE(judgement.reason.find(to_string(name)), std::string::npos) << judgement.reason;
    for (const TensorMetrics& tensor : judgement.tensors) {
      EXPECT_EQ(tensor.zero_would_pass, tensor.tensor == to_string(name));
    }
  }
}

TEST(JudgeTest, AVacuousLseIsNamedToo) {
  Synthetic s(small_case("full"));
  for (double& bound : s.oracle.at(TensorName::lse).bound) bound = 1e3;
  const Judgement judgement = judge(s.observation());
  EXPECT_EQ(judgement.verdict, Verdict::vacuous);
  EXPECT_NE(judgement.reason.find("lse"), std::string::npos);
}

TEST(JudgeTest, AFailureOutranksVacuity) {
  Synthetic s(small_case("full"));
  drown(s, TensorName::dq);
  Observation observation = s.observation();
  observation.mutated_inputs = {"v"};
  EXPECT_EQ(judge(observation).verdict, Verdict::fail);
  EXPECT_TRUE(metrics(judge(observation), TensorName::dq).zero_would_pass);
}

TEST(JudgeTest, ATensorThatIsRightlyZeroIsExempt) {
  Synthetic s(small_case("full"));
  make_zero(s, TensorName::dq);
  const Judgement judgement = judge(s.observation());
  EXPECT_EQ(judgement.verdict, Verdict::pass) << judgement.reason;
  EXPECT_TRUE(metrics(judgement, TensorName::dq).zero_would_pass);
}

// 4 queries and no key: every row is empty.
TEST(JudgeTest, AnInfiniteLseGivesPowerToAnAllMaskedCase) {
  const Case c = small_case("causal(bottom_right)", 4, 0);
  Synthetic s(c);
  EXPECT_EQ(judge(s.observation()).verdict, Verdict::pass);
  Observation observation = s.observation();
  observation.c.problem.lse = LseRequest::no;
  observation.outputs.erase(TensorName::lse);
  EXPECT_EQ(judge(observation).verdict, Verdict::vacuous);
}

TEST(JudgeTest, AZeroConventionGivesNoPowerToAnAllMaskedCase) {
  Synthetic s(small_case("causal(bottom_right)", 4, 0));
  s.arithmetic.empty_row_lse = EmptyRowLse::zero;
  for (double& x : s.got.at(TensorName::lse)) x = 0;
  const Judgement judgement = judge(s.observation());
  EXPECT_EQ(judgement.verdict, Verdict::vacuous);
  EXPECT_NE(judgement.reason.find("rightly zero"), std::string::npos);
}

TEST(JudgeTest, AllZeroOutputsNeverPass) {
  for (const DtypeInfo& dtype : dtypes) {
    for (const FillInfo& fill : fills) {
      Synthetic s(big_case(dtype.dtype, fill.fill));
      for (auto& [name, values] : s.got) std::fill(values.begin(), values.end(), 0.0);
      EXPECT_EQ(judge(s.observation()).verdict, Verdict::fail);
    }
  }
}

TEST(JudgeTest, TheWorstClassDecides) {
  Synthetic s(small_case("full"));
  s.plant(TensorName::o, [](std::vector<double>& got, const OracleTensor&) { got[0] = 100; });
  EXPECT_EQ(judge(s.observation()).fail_class, FailClass::accuracy);
  s.plant(TensorName::dv, [](std::vector<double>& got, const OracleTensor&) {
    got[0] = std::numeric_limits<double>::quiet_NaN();
  });
  EXPECT_EQ(judge(s.observation()).fail_class, FailClass::nonfinite);
  Observation observation = s.observation();
  observation.mutated_inputs = {"k"};
  EXPECT_EQ(judge(observation).fail_class, FailClass::contract);
  observation.outputs.at(TensorName::dq).guard_damage = "before dq";
  EXPECT_EQ(judge(observation).fail_class, FailClass::out_of_bounds);
}

TEST(JudgeTest, TheReasonSaysWhatWhereAndHowMuch) {
  Synthetic s(big_case(Dtype::bf16, Fill::normal));
  const std::size_t element = (3 * 128 + 17) * 64 + 5;
  s.oracle.at(TensorName::o).value[element] = 0.5;
  s.oracle.at(TensorName::o).sigma[element] = 0x1p-10;
  s.oracle.at(TensorName::o).bound[element] = 0x1p-7;
  s.got.at(TensorName::o)[element] = 0.75;
  EXPECT_EQ(judge(s.observation()).reason,
            "o: error as a share of the hard bound 32 exceeds 1 at sequence 0, head 3, row 17, "
            "channel 5: got 0.75, want 0.5, sigma 0.00098, z 256");
}

TEST(JudgeTest, AnOracleThatDoesNotFitIsAnError) {
  Synthetic s(small_case("full"));
  s.oracle.at(TensorName::dq).sigma.clear();
  EXPECT_THROW(judge(s.observation()), Error);
  s.oracle.erase(TensorName::dq);
  EXPECT_THROW(judge(s.observation()), Error);
  s = Synthetic(small_case("full"));
  s.oracle.at(TensorName::o).bound.clear();
  EXPECT_THROW(judge(s.observation()), Error);
}

TEST(JudgeTest, OutputsOfTheWrongSizeAreAnError) {
  Observation observation = Synthetic(small_case("full")).observation();
  observation.outputs.at(TensorName::o).tensor.bytes.pop_back();
  EXPECT_THROW(judge(observation), Error);
}

TEST(JudgeTest, NothingComparedIsVacuous) {
  Case c = small_case("full");
  c.problem.direction = Direction::fwd;
  c.problem.sequences = {{0, 16, 0}};
  EXPECT_EQ(judge(Synthetic(c).observation()).verdict, Verdict::vacuous);
}

}  // namespace
}  // namespace fathom
