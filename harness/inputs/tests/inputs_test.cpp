// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/inputs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace fathom {
namespace {

using Rows = std::vector<std::vector<double>>;

/// A small Case: two sequences of unequal lengths, grouped heads, all inputs.
Case make_case(Fill fill, Dtype dtype = Dtype::f64, Index head_dim = 64) {
  Case c;
  c.fill = fill;
  c.seed = 11;
  c.problem = {.direction = Direction::fwd_bwd,
               .dtype = dtype,
               .layout = Layout::thd,
               .query_heads = 4,
               .kv_heads = 2,
               .head_dim = head_dim,
               .value_dim = 48,
               .sequences = {{130, 256}, {70, 200}},
               .mask = {},
               .softmax_scale = {},
               .lse_cotangent = true};
  return c;
}

std::vector<double> values_of(const TensorSet& inputs, TensorName name) {
  const Tensor& tensor = inputs.at(name);
  std::vector<double> values(static_cast<std::size_t>(element_count(tensor.spec)));
  decode(tensor.spec.dtype, tensor.bytes, values);
  return values;
}

Rows rows_of(const Problem& p, const TensorSet& inputs, TensorName name, Index sequence,
             Index head) {
  const auto values = values_of(inputs, name);
  const HeadView view = head_view(p, name, sequence, head);
  Rows rows;
  for (Index r = 0; r < view.rows; ++r) {
    const auto first = values.begin() + view.offset + r * view.row_stride;
    rows.emplace_back(first, first + view.channels);
  }
  return rows;
}

double mean(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

double deviation(const std::vector<double>& x) {
  const double m = mean(x);
  double sum = 0;
  for (const double value : x) sum += (value - m) * (value - m);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

/// Expects tensor `name` of `fill` to be that of the normal fill put through `map(value, channel)`.
template <typename Map>
void expect_mapped(Fill fill, TensorName name, Map map) {
  const Case c = make_case(fill);
  const auto base = values_of(make_inputs(make_case(Fill::normal)), name);
  const auto got = values_of(make_inputs(c), name);
  const auto channels = name == TensorName::v ? c.problem.value_dim : c.problem.head_dim;
  ASSERT_EQ(got.size(), base.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i], map(base[i], static_cast<Index>(i) % channels)) << to_string(fill) << i;
  }
}

constexpr auto same = [](double x, Index) { return x; };

TEST(InputsTest, GivesExactlyTheTensorsOfTheProblem) {
  Case c = make_case(Fill::normal);
  EXPECT_EQ(make_inputs(c).size(), 5U);
  c.problem.lse_cotangent = false;
  EXPECT_EQ(make_inputs(c).size(), 4U);
  c.problem.direction = Direction::fwd;
  EXPECT_EQ(make_inputs(c).size(), 3U);
}

TEST(InputsTest, TensorsSeedsAndNothingElseDecideTheNumbers) {
  const Case c = make_case(Fill::normal);
  Case other = c;
  other.seed = 12;
  const auto inputs = make_inputs(c);
  EXPECT_EQ(inputs.at(TensorName::q).bytes, make_inputs(c).at(TensorName::q).bytes);
  EXPECT_NE(inputs.at(TensorName::q).bytes, make_inputs(other).at(TensorName::q).bytes);
  std::set<double> firsts;
  for (const auto& [name, tensor] : inputs) firsts.insert(values_of(inputs, name).front());
  EXPECT_EQ(firsts.size(), 5U);
}

TEST(InputsTest, AllLayoutsHoldTheSameNumbers) {
  for (const FillInfo& row : fills) {
    Case c = make_case(row.fill, Dtype::bf16, 33);
    c.problem.sequences = {{65, 70}, {65, 70}, {65, 70}};
    const auto packed = make_inputs(c);
    for (const Layout layout : {Layout::bshd, Layout::bhsd}) {
      Case dense = c;
      dense.problem.layout = layout;
      const auto inputs = make_inputs(dense);
      for (const auto& [name, tensor] : packed) {
        for (Index s = 0; s < 3; ++s) {
          for (Index h = 0; h < head_count(c.problem, name); ++h) {
            ASSERT_EQ(rows_of(dense.problem, inputs, name, s, h),
                      rows_of(c.problem, packed, name, s, h))
                << row.name << ' ' << to_string(name);
          }
        }
      }
    }
  }
}

TEST(InputsTest, LaterSequencesDoNotChangeEarlierOnes) {
  for (const FillInfo& row : fills) {
    const Case c = make_case(row.fill);
    Case alone = c;
    alone.problem.sequences.resize(1);
    for (const auto& [name, tensor] : make_inputs(alone)) {
      if (name == TensorName::dlse) continue;  // (H, T): heads are apart.
      const auto both = make_inputs(c).at(name).bytes;
      EXPECT_TRUE(std::equal(tensor.bytes.begin(), tensor.bytes.end(), both.begin())) << row.name;
    }
  }
}

TEST(InputsTest, StorageIsTheNearestNumber) {
  for (const FillInfo& row : fills) {
    if (row.fill == Fill::const_p || row.fill == Fill::p_one) continue;  // See the tests of levels.
    const auto exact = make_inputs(make_case(row.fill));
    for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
      const auto inputs = make_inputs(make_case(row.fill, dtype));
      for (const TensorName name : {TensorName::q, TensorName::k, TensorName::v}) {
        const auto want = values_of(exact, name);
        const auto got = values_of(inputs, name);
        for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], round_to(dtype, want[i]));
      }
    }
  }
}

TEST(InputsTest, CotangentsAreStandardNormalUnderEveryFill) {
  for (const FillInfo& row : fills) {
    const auto inputs = make_inputs(make_case(row.fill));
    for (const TensorName name : {TensorName::dout, TensorName::dlse}) {
      const auto values = values_of(inputs, name);
      const double unit = 1 / std::sqrt(static_cast<double>(values.size()));
      EXPECT_NEAR(mean(values), 0, 4 * unit) << row.name;
      EXPECT_NEAR(deviation(values), 1, 4 * unit) << row.name;
    }
  }
}

TEST(FillsTest, ScaledFillsAreTheNormalOnesTimesTheirFactor) {
  expect_mapped(Fill::peaked, TensorName::q, [](double x, Index) { return x * 4; });
  expect_mapped(Fill::peaked, TensorName::k, same);
  expect_mapped(Fill::flat, TensorName::q, [](double x, Index) { return x * 0.05; });
  expect_mapped(Fill::tiny, TensorName::v, [](double x, Index) { return x * 1e-4; });
  expect_mapped(Fill::tiny, TensorName::k, same);
  expect_mapped(Fill::vmean, TensorName::v, [](double x, Index) { return x + 3; });
  expect_mapped(Fill::q_zero, TensorName::q, [](double, Index) { return 0.0; });
  expect_mapped(Fill::q_zero, TensorName::v, same);
}

TEST(FillsTest, OutlierRaisesOneChannelInThirtyTwo) {
  const auto times = [](double factor) {
    return [factor](double x, Index c) { return c % 32 == 0 ? x * factor : x; };
  };
  expect_mapped(Fill::outlier, TensorName::q, times(6));
  expect_mapped(Fill::outlier, TensorName::k, times(6));
  expect_mapped(Fill::outlier, TensorName::v, times(20));
}

TEST(FillsTest, UniformsFillTheirIntervals) {
  for (const auto& [fill, low] : {std::pair{Fill::uniform01, 0.0}, {Fill::uniform11, -1.0}}) {
    const auto inputs = make_inputs(make_case(fill));
    for (const TensorName name : {TensorName::q, TensorName::k, TensorName::v}) {
      const auto x = values_of(inputs, name);
      const auto [least, most] = std::minmax_element(x.begin(), x.end());
      EXPECT_GE(*least, low);
      EXPECT_LT(*least, low + 0.01);
      EXPECT_LE(*most, 1.0);
      EXPECT_GT(*most, 0.99);
      EXPECT_NEAR(mean(x), (1 + low) / 2, 0.02);
      EXPECT_NEAR(deviation(x), (1 - low) / std::sqrt(12.0), 0.02);
    }
  }
}

TEST(FillsTest, DupkeysRepeatsOneKeyInSixtyFour) {
  const Case c = make_case(Fill::dupkeys);
  const auto inputs = make_inputs(c);
  for (const auto& [sequence, originals] : {std::pair{Index{0}, 4U}, {Index{1}, 3U}}) {
    for (Index head = 0; head < 2; ++head) {
      const Rows keys = rows_of(c.problem, inputs, TensorName::k, sequence, head);
      EXPECT_EQ(std::set(keys.begin(), keys.end()).size(), originals);
      const Rows values = rows_of(c.problem, inputs, TensorName::v, sequence, head);
      EXPECT_EQ(std::set(values.begin(), values.end()).size(), values.size());
    }
  }
}

TEST(FillsTest, SinkTokenPointsAlongTheMeanQuery) {
  const Case c = make_case(Fill::sink_token);
  const auto inputs = make_inputs(c);
  for (Index sequence = 0; sequence < 2; ++sequence) {
    for (Index head = 0; head < 2; ++head) {
      std::vector<double> sum(64, 0.0);
      double rows = 0;
      for (const Index q : {2 * head, 2 * head + 1}) {
        for (const auto& row : rows_of(c.problem, inputs, TensorName::q, sequence, q)) {
          std::transform(row.begin(), row.end(), sum.begin(), sum.begin(), std::plus<>());
          rows += 1;
        }
      }
      const Rows keys = rows_of(c.problem, inputs, TensorName::k, sequence, head);
      for (std::size_t i = 0; i < 64; ++i) {
        EXPECT_NEAR(keys[0][i], 3 * sum[i] / std::sqrt(rows), 1e-13);
      }
      const Rows values = rows_of(c.problem, inputs, TensorName::v, sequence, head);
      EXPECT_LT(deviation(values[0]), 0.02);
      EXPECT_GT(deviation(values[1]), 0.5);
    }
  }
}

/// Scores of all (query, key) of one head, in double from the stored numbers.
Rows scores(const Case& c, const TensorSet& inputs, Index sequence, Index query_head) {
  const Rows q = rows_of(c.problem, inputs, TensorName::q, sequence, query_head);
  const Rows k = rows_of(c.problem, inputs, TensorName::k, sequence,
                         query_head * c.problem.kv_heads / c.problem.query_heads);
  Rows s(q.size(), std::vector<double>(k.size()));
  for (std::size_t i = 0; i < q.size(); ++i) {
    for (std::size_t j = 0; j < k.size(); ++j) {
      s[i][j] = softmax_scale(c.problem) *
                std::inner_product(q[i].begin(), q[i].end(), k[j].begin(), 0.0);
    }
  }
  return s;
}

class LevelsTest : public testing::TestWithParam<Dtype> {
 protected:
  /// Every head dim and softmax scale at which the levels are looked at; 0 is the default scale.
  static std::vector<Case> cases(Fill fill) {
    std::vector<Case> all;
    for (const Index head_dim : {1, 2, 33, 64, 128}) {
      for (const double softmax : {0.0, 0.5, -0.125}) {
        all.push_back(make_case(fill, GetParam(), head_dim));
        if (softmax != 0) all.back().problem.softmax_scale = softmax;
      }
    }
    return all;
  }
};

TEST_P(LevelsTest, ConstPHasOneKeyAtTheMaximumAndTheRestOnOneLevelBelow) {
  for (const Case& c : cases(Fill::const_p)) {
    const auto inputs = make_inputs(c);
    for (const auto& row : scores(c, inputs, 1, 3)) {
      ASSERT_NEAR(row[0], 0.37, 0.37 / 256) << to_string(c);
      for (std::size_t j = 1; j < row.size(); ++j) ASSERT_EQ(row[j], 0.0) << to_string(c);
    }
    for (const double v : values_of(inputs, TensorName::v)) ASSERT_GE(v, 0.0);
  }
}

TEST_P(LevelsTest, POneHasManyKeysExactlyAtTheMaximum) {
  for (const Case& c : cases(Fill::p_one)) {
    const auto inputs = make_inputs(c);
    for (const auto& row : scores(c, inputs, 0, 1)) {
      const double top = *std::max_element(row.begin(), row.end());
      ASSERT_NEAR(top, 4.0, 4.0 / 256) << to_string(c);
      const auto above = std::count(row.begin(), row.end(), top);
      ASSERT_EQ(above + std::count(row.begin(), row.end(), 0.0), 256) << to_string(c);
      ASSERT_GT(above, 32);
      ASSERT_LT(above, 96);
    }
    for (const double v : values_of(inputs, TensorName::v)) ASSERT_LE(v, -1.0);
  }
}

/// q . k in fp32, channel after channel from the front or from the back.
float fp32_product(const std::vector<double>& q, const std::vector<double>& k, bool from_back) {
  float sum = 0;
  for (std::size_t i = 0; i < q.size(); ++i) {
    const std::size_t c = from_back ? q.size() - 1 - i : i;
    sum += static_cast<float>(q[c]) * static_cast<float>(k[c]);
  }
  return sum;
}

TEST_P(LevelsTest, TheLowerLevelIsExactInFp32InAnyOrder) {
  for (const Case& c : cases(Fill::const_p)) {
    const auto inputs = make_inputs(c);
    const Rows q = rows_of(c.problem, inputs, TensorName::q, 0, 0);
    const Rows k = rows_of(c.problem, inputs, TensorName::k, 0, 0);
    for (std::size_t j = 1; j < k.size(); ++j) {
      ASSERT_EQ(fp32_product(q[5], k[j], false), 0.0F) << to_string(c);
      ASSERT_EQ(fp32_product(q[5], k[j], true), 0.0F) << to_string(c);
    }
  }
}

TEST_P(LevelsTest, KeysAndQueriesAreNeverthelessRandom) {
  const Case c = make_case(Fill::const_p, GetParam(), 33);
  const auto inputs = make_inputs(c);
  for (const TensorName name : {TensorName::q, TensorName::k}) {
    const Rows rows = rows_of(c.problem, inputs, name, 0, 0);
    for (std::size_t i = 1; i < 33; ++i) {
      std::vector<double> channel;
      for (const auto& row : rows) channel.push_back(row[i]);
      EXPECT_NEAR(deviation(channel), 1.0, 0.3) << to_string(name) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllDtypes, LevelsTest,
                         testing::Values(Dtype::f64, Dtype::f32, Dtype::f16, Dtype::bf16),
                         [](const auto& param) { return std::string(to_string(param.param)); });

}  // namespace
}  // namespace fathom
