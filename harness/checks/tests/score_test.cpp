// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/score.h"

#include "harness/checks/tests/synthetic.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fathom {
namespace {

Score score(const Synthetic& s, TensorName name) {
  const std::vector<Reach> reach = reach_of(s.c.problem);
  return score_tensor(s.c.problem, name, s.got.at(name), s.oracle.at(name), reach);
}

TEST(ScoreTest, OnlyLongContractionsEnterTheAverages) {
  Case c = small_case("full");
  c.problem.layout = Layout::thd;
  c.problem.sequences = {{20, 63, 0}, {7, 64, 0}, {64, 10, 0}};
  const Synthetic s(c);
  EXPECT_EQ(score(s, TensorName::o).all.rows, 91);
  EXPECT_EQ(score(s, TensorName::o).averaging.rows, 7);
  EXPECT_EQ(score(s, TensorName::dq).averaging.rows, 7);
  EXPECT_EQ(score(s, TensorName::dk).averaging.rows, 10);
  EXPECT_EQ(score(s, TensorName::dv).all.rows, 137);
}

TEST(ScoreTest, RowsWithoutPairsAreNotAveragedIn) {
  Synthetic s(small_case("causal(bottom_right)", 16, 12));
  s.got.at(TensorName::o)[8 * 4] += 1;
  const Score o = score(s, TensorName::o);
  EXPECT_EQ(o.all.rows, 12);
  EXPECT_EQ(o.all.elements, 96);
  EXPECT_EQ(o.rows[3], -1);
  EXPECT_GT(o.rows[4], 0);
}

TEST(ScoreTest, EveryLayoutFindsTheSameRow) {
  for (const Layout layout : {Layout::bshd, Layout::bhsd, Layout::thd}) {
    Case c = big_case(Dtype::bf16, Fill::normal);
    c.problem.layout = layout;
    c.problem.sequences = {{24, 24, 0}, {24, 24, 0}};
    Synthetic s(c);
    const HeadView view = head_view(c.problem, TensorName::dq, 1, 3);
    const Index element = view.offset + 17 * view.row_stride + 5;
    s.got.at(TensorName::dq)[static_cast<std::size_t>(element)] += 100;
    const Score dq = score(s, TensorName::dq);
    EXPECT_EQ(dq.row_rho.element, element);
    EXPECT_EQ(place_of(c.problem, TensorName::dq, dq.z_max.element), (ElementPlace{1, 3, 17, 5}));
    EXPECT_EQ(dq.rows.size(), 2U * 8 * 24);
  }
}

TEST(ScoreTest, AMissingModelMeansInfiniteZ) {
  Synthetic s(small_case("full"));
  s.oracle.at(TensorName::o).sigma[9] = 0;
  s.got.at(TensorName::o)[9] = s.oracle.at(TensorName::o).value[9];
  EXPECT_LT(score(s, TensorName::o).z_max.value, 10);
  s.got.at(TensorName::o)[9] += 1e-20 + 1e-3;
  EXPECT_TRUE(std::isinf(score(s, TensorName::o).z_max.value));
}

TEST(ScoreTest, EqualLeansHaveInfiniteBias) {
  EXPECT_TRUE(std::isinf(bias_z({.rows = 1, .elements = 4, .b = 2, .bb = 1})));
  EXPECT_EQ(bias_z({}), 0);
}

}  // namespace
}  // namespace fathom
