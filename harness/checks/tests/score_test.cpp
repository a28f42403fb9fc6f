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

TEST(ScoreTest, ErrorsThatRowsShareAreCoherent) {
  // Two channels of 100 rows: every row of a channel has the same error, or errors that cancel.
  const ScoreSums sums{
      .rows = 100, .elements = 200, .zz = 200, .b = 0, .bb = 200, .er = 0, .rr = 200};
  const std::vector<ChannelSums> shared{{100, 160, 100, 100, 100}, {100, 40, -100, -100, 100}};
  const std::vector<ChannelSums> independent{{100, 107, 7, 7, 100}, {100, 93, -7, -7, 100}};
  EXPECT_DOUBLE_EQ(bias_coherence(sums, shared), 200);
  EXPECT_DOUBLE_EQ(gain_coherence(sums, shared), 200);
  EXPECT_DOUBLE_EQ(rho_coherence(sums, shared), 72);
  EXPECT_DOUBLE_EQ(rho_coherence(sums, independent), 1);
  EXPECT_DOUBLE_EQ(bias_coherence(sums, independent), 1);
  EXPECT_DOUBLE_EQ(gain_coherence(sums, independent), 1);
}

TEST(ScoreTest, ACommonFactorIsNotCoherence) {
  // All channels lean alike, by as much as their rows are many: that is what the tests look for.
  const ScoreSums sums{.rows = 30, .elements = 60, .b = 30, .bb = 60, .er = 30, .rr = 60};
  const std::vector<ChannelSums> channels{{10, 10, 5, 5, 10}, {50, 50, 25, 25, 50}};
  EXPECT_DOUBLE_EQ(bias_coherence(sums, channels), 1);
  EXPECT_DOUBLE_EQ(gain_coherence(sums, channels), 1);
}

TEST(ScoreTest, EqualLeansHaveInfiniteBias) {
  EXPECT_TRUE(std::isinf(bias_z({.rows = 1, .elements = 4, .b = 2, .bb = 1})));
  EXPECT_EQ(bias_z({}), 0);
}

}  // namespace
}  // namespace fathom
