// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/exact_zeros.h"

#include "harness/checks/tests/synthetic.h"

#include <gtest/gtest.h>

#include <limits>

namespace fathom {
namespace {

using Names = std::set<std::string>;

/// The tensor's element in the first channel of a row of the only head.
Synthetic::Edit set_row(std::size_t row, double value) {
  return [=](std::vector<double>& got, const OracleTensor&) { got[8 * row] = value; };
}

struct Masked {
  TensorName tensor;
  std::string mask;
  Index queries;
  Index keys;
  std::size_t dead_row;
};

// Bottom-right causal with 16 queries on 12 keys: queries 0 to 3 see nothing. Top-left causal with
// 12 queries on 16 keys: nobody sees keys 12 to 15.
const std::vector<Masked> masked{
    {TensorName::o, "causal(bottom_right)", 16, 12, 3},
    {TensorName::dq, "causal(bottom_right)", 16, 12, 0},
    {TensorName::dk, "causal(top_left)", 12, 16, 12},
    {TensorName::dv, "causal(top_left)", 12, 16, 15},
};

TEST(ExactZerosTest, NothingMayLeakIntoARowWithoutPairs) {
  for (const Masked& m : masked) {
    const Case c = small_case(m.mask, m.queries, m.keys);
    EXPECT_EQ(run_all(Synthetic(c).observation()), Names{});
    for (const double leak : {1e-30, -1e-30, 3.0}) {
      Synthetic s(c);
      s.plant(m.tensor, set_row(m.dead_row, leak));
      EXPECT_EQ(run_all(s.observation()), Names{std::string(to_string(m.tensor)) + ":exact_zeros"});
      const Judgement judgement = judge(s.observation());
      EXPECT_EQ(judgement.fail_class, FailClass::contract);
      EXPECT_NE(judgement.reason.find("row " + std::to_string(m.dead_row)), std::string::npos)
          << judgement.reason;
    }
  }
}

TEST(ExactZerosTest, NanInARowWithoutPairsIsNoZero) {
  for (const Masked& m : masked) {
    Synthetic s(small_case(m.mask, m.queries, m.keys));
    s.plant(m.tensor, set_row(m.dead_row, std::numeric_limits<double>::quiet_NaN()));
    const std::string name(to_string(m.tensor));
    EXPECT_EQ(run_all(s.observation()), (Names{name + ":exact_zeros", name + ":finite"}));
  }
}

TEST(ExactZerosTest, NegativeZeroIsZero) {
  Synthetic s(small_case("causal(bottom_right)", 16, 12));
  s.plant(TensorName::o, set_row(2, -0.0));
  EXPECT_EQ(run_all(s.observation()), Names{});
}

TEST(ExactZerosTest, WhichRowsAreDeadIsNotTakenFromTheOracle) {
  // An oracle that wrongly says 0 with sigma 0 for a query that does see keys is contradicted.
  Synthetic s(small_case("full"));
  OracleTensor& o = s.oracle.at(TensorName::o);
  o.value[0] = o.sigma[0] = 0;
  EXPECT_TRUE(run_all(s.observation()).contains("o:accuracy.z_max"));
}

}  // namespace
}  // namespace fathom
