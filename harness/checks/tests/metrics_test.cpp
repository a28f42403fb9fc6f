// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/metrics.h"

#include "harness/checks/tests/synthetic.h"
#include "harness/core/types.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

namespace fathom {
namespace {

TensorMetrics metrics(const Observation& observation, TensorName name) {
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  const Evidence evidence = weigh(observation, reach);
  const auto found = std::find_if(evidence.tensors.begin(), evidence.tensors.end(),
                                  [&](const Comparison& c) { return c.spec.name == name; });
  return metrics_of(evidence, *found);
}

/// 2 rows of 4 channels of O, fp32, with sigma 0.5 and errors that can be summed by hand.
Synthetic by_hand() {
  Case c = small_case("full", 2, 1);
  c.problem.direction = Direction::fwd;
  c.problem.dtype = Dtype::f32;
  c.problem.value_dim = 4;
  Synthetic s(c);
  OracleTensor& o = s.oracle.at(TensorName::o);
  o.value = {1, -2, 4, 8, 1, 1, -1, 2};
  o.sigma.assign(8, 0.5);
  s.got.at(TensorName::o) = {1, -2, 4.5, 8, 1, 2, -1, 2.5};
  return s;
}

TEST(MetricsTest, NumbersOfASmallTensorAreThoseOfTheDefinitions) {
  const TensorMetrics m = metrics(by_hand().observation(), TensorName::o);
  EXPECT_EQ(m.tensor, "o");
  EXPECT_EQ(m.transport, "in_place");
  EXPECT_EQ(m.elements, 8);
  // e = 0 0 .5 0 | 0 1 0 .5; z = 0 0 1 0 | 0 2 0 1.
  EXPECT_DOUBLE_EQ(m.max_abs, 1);
  EXPECT_DOUBLE_EQ(m.max_rel, 1);
  EXPECT_DOUBLE_EQ(m.nmse, 1.5 / 92);
  EXPECT_DOUBLE_EQ(m.rel_f, std::sqrt(1.5 / 92));
  EXPECT_DOUBLE_EQ(*m.z_max, 2);
  EXPECT_DOUBLE_EQ(*m.tensor_rho, std::sqrt(6.0 / 8));
  EXPECT_DOUBLE_EQ(m.row_rho->max, std::sqrt(5.0 / 4));
  EXPECT_EQ(m.row_rho->index, (ElementPlace{0, 0, 1, 1}));
  EXPECT_DOUBLE_EQ(m.row_rho->p99, 0.5);
  EXPECT_DOUBLE_EQ(*m.gain, (0.5 * 4 + 1 + 0.5 * 2) / 92);
  const double mean = 4.0 / 8;  // b = e sign(want) / sigma = 0 0 1 0 0 2 0 1
  EXPECT_DOUBLE_EQ(*m.bias_z, mean * std::sqrt(8) / std::sqrt(6.0 / 8 - mean * mean));
  const double got_norm = 1 + 4 + 20.25 + 64 + 1 + 4 + 1 + 6.25;
  EXPECT_DOUBLE_EQ(*m.cosine, (1 + 4 + 18 + 64 + 1 + 2 + 1 + 5) / std::sqrt(got_norm * 92));
  EXPECT_EQ(m.zeros, (Counts{0, 0}));
  EXPECT_EQ(m.nan, (Counts{0, 0}));
  EXPECT_DOUBLE_EQ(m.margin.at("accuracy.z_max"), 2.0 / 24);
  ASSERT_EQ(m.worst.size(), 3U);
  EXPECT_EQ(m.worst[0].place, (ElementPlace{0, 0, 1, 1}));
  EXPECT_EQ(m.worst[0].got, 2);
  EXPECT_EQ(m.worst[0].want, 1);
  EXPECT_EQ(m.worst[0].sigma, 0.5);
  EXPECT_EQ(m.worst[0].z, 2);
}

TEST(MetricsTest, RelativeErrorsHaveAFloor) {
  Synthetic s = by_hand();
  s.oracle.at(TensorName::o).value[0] = 0;
  const double rms = std::sqrt(91.0 / 8);
  EXPECT_DOUBLE_EQ(metrics(s.observation(), TensorName::o).max_rel, 64 / rms);
}

TEST(MetricsTest, RatiosAreAgainstPlainAttention) {
  Synthetic s = by_hand();
  Observation observation = s.observation();
  EXPECT_EQ(metrics(observation, TensorName::o).fa_ratio, FaRatio{});
  std::vector<double> plain = s.oracle.at(TensorName::o).value;
  plain[0] += 0.25;
  plain[1] += 0.25;
  plain[2] = nan;  // Not compared: 0.5 of the backend's error goes too.
  observation.plain = std::make_shared<std::map<TensorName, std::vector<double>>>(
      std::map<TensorName, std::vector<double>>{{TensorName::o, plain}});
  const FaRatio ratio = metrics(observation, TensorName::o).fa_ratio;
  EXPECT_DOUBLE_EQ(*ratio.max, 4);
  EXPECT_DOUBLE_EQ(*ratio.mean, 3);
}

TEST(MetricsTest, NonFiniteElementsAreCountedAndSortedFirst) {
  Synthetic s = by_hand();
  s.got.at(TensorName::o)[6] = nan;
  s.got.at(TensorName::o)[7] = infinity;
  const TensorMetrics m = metrics(s.observation(), TensorName::o);
  EXPECT_EQ(m.nan, (Counts{1, 0}));
  EXPECT_EQ(m.inf, (Counts{1, 0}));
  EXPECT_EQ(m.max_abs, infinity);
  EXPECT_EQ(m.z_max, infinity);
  EXPECT_EQ(m.rel_f, infinity);
  EXPECT_EQ(m.ulp_hist[19], 2);
  ASSERT_GE(m.worst.size(), 3U);
  EXPECT_EQ(m.worst[0].place.channel, 2);
  EXPECT_EQ(m.worst[1].place.channel, 3);
  EXPECT_EQ(m.worst[2].z, 2);
}

TEST(MetricsTest, UlpBucketsDouble) {
  const double step = 0x1p-7;  // bf16 in [1, 2)
  const auto bucket = [&](double steps) { return ulp_bucket(Dtype::bf16, 1 + steps * step, 1); };
  EXPECT_EQ(bucket(0), 0U);
  EXPECT_EQ(bucket(1), 1U);
  EXPECT_EQ(bucket(2), 2U);
  EXPECT_EQ(bucket(3), 3U);
  EXPECT_EQ(bucket(4), 3U);
  EXPECT_EQ(bucket(5), 4U);
  EXPECT_EQ(bucket(8), 4U);
  EXPECT_EQ(bucket(9), 5U);
  EXPECT_EQ(bucket(0x1p14), 15U);
  EXPECT_EQ(bucket(0x1p15), 16U);
  EXPECT_EQ(bucket(0x1p15 + 1), 17U);
  EXPECT_EQ(ulp_bucket(Dtype::bf16, -1, 1), 18U);
  EXPECT_EQ(ulp_bucket(Dtype::bf16, nan, 1), 19U);
  EXPECT_EQ(ulp_bucket(Dtype::bf16, infinity, 1), 19U);
}

TEST(MetricsTest, UlpDistanceIsFromTheCorrectlyRoundedValue) {
  const double want = 1 + 0.4 * 0x1p-7;
  EXPECT_EQ(ulp_bucket(Dtype::bf16, 1, want), 0U);
  EXPECT_EQ(ulp_bucket(Dtype::bf16, 1 + 0x1p-7, want), 1U);
  EXPECT_EQ(ulp_bucket(Dtype::f16, 1e-7, 0), 2U);  // Steps of 2^-24 round 0.
  EXPECT_EQ(ulp_bucket(Dtype::f64, 1 + 0x1p-52, 1), 1U);
  EXPECT_EQ(ulp_bucket(Dtype::f16, infinity, 70000), 0U);
}

TEST(MetricsTest, ABadTileIsAStripe) {
  Synthetic s(big_case(Dtype::bf16, Fill::normal));
  s.arithmetic.block_m = 32;
  s.plant(TensorName::o, [](std::vector<double>& got, const OracleTensor& oracle) {
    const std::size_t head = 5;
    for (std::size_t i = (head * 128 + 64) * 64; i < (head * 128 + 96) * 64; ++i) {
      got[i] = oracle.value[i] + 20 * oracle.sigma[i];
    }
  });
  const std::vector<double> tiles = metrics(s.observation(), TensorName::o).tile_rho;
  ASSERT_EQ(tiles.size(), 4U);
  EXPECT_NEAR(tiles[2], 20, 1);
  for (const std::size_t clean : {0, 1, 3}) EXPECT_NEAR(tiles[clean], 1, 0.15);
}

TEST(MetricsTest, TilesOfManySequencesAreShortenedKeepingTheLargest) {
  Case c = small_case("full");
  c.problem.layout = Layout::thd;
  c.problem.sequences.assign(600, {2, 2, 0});
  Synthetic s(c);
  s.plant(TensorName::dk, [](std::vector<double>& got, const OracleTensor& oracle) {
    got[16 * 300] += 50 * oracle.sigma[16 * 300];  // Sequence 300: group 100 of threes.
  });
  const std::vector<double> tiles = metrics(s.observation(), TensorName::dk).tile_rho;
  ASSERT_EQ(tiles.size(), 200U);
  EXPECT_EQ(std::max_element(tiles.begin(), tiles.end()) - tiles.begin(), 100);
}

TEST(MetricsTest, LseIsInFp32StepsAndSharesOfItsLimit) {
  Synthetic s(small_case("causal(bottom_right)", 16, 12));
  OracleTensor& lse = s.oracle.at(TensorName::lse);
  lse.value[9] = 4;
  lse.bound[9] = 0x1p-18;
  for (std::size_t i = 4; i < 16; ++i) s.got.at(TensorName::lse)[i] = lse.value[i];
  s.got.at(TensorName::lse)[9] = 4 + 0x1p-19;
  const TensorMetrics m = metrics(s.observation(), TensorName::lse);
  EXPECT_DOUBLE_EQ(m.lse->max_u32, 0x1p24 * 0x1p-19 / 4);
  EXPECT_DOUBLE_EQ(m.lse->share, 0.5);
  EXPECT_DOUBLE_EQ(m.margin.at("lse"), 0.5);
  EXPECT_EQ(m.inf, (Counts{4, 4}));
  EXPECT_LT(m.max_abs, 1e-5);
  EXPECT_EQ(m.worst[0].place.row, 9);
  EXPECT_DOUBLE_EQ(m.worst[0].z, 0.5);
}

TEST(MetricsTest, AtMostSixteenWorstElementsInOrder) {
  const TensorMetrics m =
      metrics(Synthetic(big_case(Dtype::bf16, Fill::normal)).observation(), TensorName::o);
  ASSERT_EQ(m.worst.size(), 16U);
  for (std::size_t i = 1; i < 16; ++i) {
    EXPECT_GE(std::abs(m.worst[i - 1].z), std::abs(m.worst[i].z));
  }
  EXPECT_EQ(std::abs(m.worst[0].z), *m.z_max);
  EXPECT_EQ(std::accumulate(m.ulp_hist.begin(), m.ulp_hist.end(), Index{0}), m.elements);
  EXPECT_EQ(m.ulp_hist[0], m.elements);  // The clean twin rounds correctly.
}

TEST(MetricsTest, AMissingOutputIsSaidToBeMissing) {
  Observation observation = Synthetic(small_case("full")).observation();
  observation.outputs.erase(TensorName::lse);
  const TensorMetrics m = metrics(observation, TensorName::lse);
  EXPECT_EQ(m.transport, "not_given");
  EXPECT_EQ(m.elements, 0);
}

TEST(MetricsTest, MarginsCoverEveryTestOfTheTensor) {
  const Judgement judgement = judge(Synthetic(big_case(Dtype::bf16, Fill::normal)).observation());
  std::set<std::string> keys;
  for (const auto& [key, share] : judgement.tensors.front().margin) {
    keys.insert(key);
    EXPECT_LE(share, 1) << key;
  }
  EXPECT_EQ(keys,
            (std::set<std::string>{"accuracy.bias_z", "accuracy.gain", "accuracy.hard_bound",
                                   "accuracy.row_rho", "accuracy.tensor_rho", "accuracy.z_max"}));
  EXPECT_TRUE(judgement.tensors.front().gain_limit.has_value());
}

}  // namespace
}  // namespace fathom
