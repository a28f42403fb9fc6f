// SPDX-License-Identifier: Apache-2.0
#include "harness/peers/peers.h"

#include "harness/core/error.h"
#include "harness/inputs/inputs.h"
#include "harness/peers/rules.h"
#include "reference/oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <string>

namespace fathom {
namespace {

/// Real attention by the oracle, answered by `make` of each oracle tensor.
struct Answered {
  Observation observation;
  PlainAnswers plain;
};
using Make = std::vector<double> (*)(const OracleTensor& oracle);

Answered answered(const std::string& text, Make make) {
  Answered all;
  Observation& observation = all.observation;
  observation.c = parse_case(text);
  const Problem& problem = observation.c.problem;
  observation.arithmetic = flash_arithmetic(problem.dtype);
  const TensorSet inputs = make_inputs(observation.c);
  const auto oracle = reference::make_oracle({.threads = 1});
  observation.oracle = oracle->answer(problem, observation.arithmetic, inputs);
  all.plain = ask_plain(*oracle, problem, inputs);
  for (const TensorSpec& spec : output_specs(problem)) {
    ObservedTensor& output = observation.outputs[spec.name];
    output.tensor = {spec, std::vector<std::byte>(static_cast<std::size_t>(byte_count(spec)))};
    encode(spec.dtype, make(observation.oracle->at(spec.name)), output.tensor.bytes);
  }
  return all;
}

/// The oracle's values with errors of 0.7 sigma, since sigma counts the rounding to storage as
/// well.
std::vector<double> honest(const OracleTensor& oracle) {
  std::mt19937_64 bits(1);
  std::normal_distribution<double> normal;
  std::vector<double> values = oracle.value;
  for (std::size_t i = 0; i < oracle.sigma.size(); ++i)
    values[i] += 0.7 * oracle.sigma[i] * normal(bits);
  return values;
}

std::vector<double> zeros(const OracleTensor& oracle) {
  return std::vector<double>(oracle.value.size(), 0);
}

std::string case_of(std::string_view dtype, std::string_view fill, int length) {
  return "dir=fwd+bwd dtype=" + std::string(dtype) +
         " layout=bhsd hq=1 hkv=1 d=64 dv=64 seqs=" + std::to_string(length) +
         " mask=full fill=" + std::string(fill) + " seed=1";
}

std::set<std::string> with_outcome(const std::vector<PeerOpinion>& opinions,
                                   std::optional<bool> wanted) {
  std::set<std::string> rules;
  for (const auto& [rule, outcome] : peer_outcomes(opinions)) {
    if (outcome == wanted) rules.emplace(rule);
  }
  return rules;
}

/// Rules that let one tensor pass.
std::set<std::string> passing(const std::vector<PeerOpinion>& opinions, TensorName tensor) {
  std::set<std::string> rules;
  for (const PeerOpinion& opinion : opinions) {
    if (opinion.tensor == tensor && opinion.pass == true) rules.emplace(opinion.rule);
  }
  return rules;
}

TEST(PeersTest, HonestNoisePassesEveryRuleThatIsMeantForAttention) {
  for (const char* dtype : {"f16", "bf16"}) {
    for (const char* fill : {"normal", "flat"}) {
      SCOPED_TRACE(std::string(dtype) + " " + fill);
      const Answered all = answered(case_of(dtype, fill, 256), honest);
      const auto opinions = peer_opinions(all.observation, all.plain);
      EXPECT_EQ(with_outcome(opinions, false), (std::set<std::string>{"assert_close"}));
      EXPECT_EQ(with_outcome(opinions, true).size(), peer_rules().size() - 1);
    }
  }
  const Answered all = answered(case_of("f32", "normal", 256), honest);
  const auto passed = with_outcome(peer_opinions(all.observation, all.plain), true);
  for (const char* rule : {"fa2", "fa3", "pytorch", "pytorch_old", "flex", "ck", "te"})
    EXPECT_TRUE(passed.contains(rule)) << rule;
}

/// What the projects would say of a kernel that writes nothing but zeros, on the data of PyTorch's
/// and Composable Kernel's tests.
TEST(PeersTest, ZerosPassTheRulesWhoseToleranceIsAsLargeAsTheAnswer) {
  const Answered all = answered(case_of("bf16", "uniform01", 1024), zeros);
  const auto opinions = peer_opinions(all.observation, all.plain);
  using Names = std::set<std::string>;
  EXPECT_EQ(passing(opinions, TensorName::o), (Names{"benchdnn"}));
  EXPECT_EQ(passing(opinions, TensorName::lse), Names{});
  EXPECT_EQ(passing(opinions, TensorName::dq),
            (Names{"benchdnn", "cudnn_fe", "pytorch", "pytorch_old", "te"}));
  EXPECT_EQ(passing(opinions, TensorName::dk), (Names{"benchdnn", "cudnn_fe", "pytorch_old"}));
  EXPECT_EQ(passing(opinions, TensorName::dv), (Names{"benchdnn", "pytorch_old"}));
  EXPECT_EQ(with_outcome(opinions, true), (Names{"benchdnn"}));
}

TEST(PeersTest, NanPassesNowhere) {
  const Answered all = answered(case_of("bf16", "normal", 64), [](const OracleTensor& oracle) {
    return std::vector<double>(oracle.value.size(), std::nan(""));
  });
  EXPECT_EQ(with_outcome(peer_opinions(all.observation, all.plain), false).size(),
            peer_rules().size());
}

TEST(PeersTest, LseIsJudgedWhereTheProjectComparesItAndHasAValue) {
  const Answered all = answered(
      "dir=fwd dtype=bf16 layout=bhsd hq=1 hkv=1 d=64 dv=64 seqs=72x40 mask=causal(bottom_right) "
      "fill=normal seed=1",
      [](const OracleTensor& oracle) {
        std::vector<double> values = oracle.value;
        for (double& x : values) x = std::isinf(x) ? -1e5 : x + 1e-3;
        return values;
      });
  ASSERT_TRUE(std::isinf(all.observation.oracle->at(TensorName::lse).value[0]));
  const auto opinions = peer_opinions(all.observation, all.plain);
  EXPECT_EQ(passing(opinions, TensorName::lse), (std::set<std::string>{"ck", "cudnn_fe"}));
}

TEST(PeersTest, WhatNeedsAMissingYardstickIsNotApplicableAndCountedApart) {
  const Answered all = answered(case_of("bf16", "normal", 64), honest);
  const auto opinions = peer_opinions(all.observation, {});
  std::set<std::string> needy;
  for (const PeerRule& rule : peer_rules())
    if (rule.needs != Yardstick::none) needy.emplace(rule.name);
  EXPECT_EQ(with_outcome(opinions, std::nullopt), needy);
  EXPECT_EQ(with_outcome(opinions, false), (std::set<std::string>{"assert_close"}));
}

TEST(PeersTest, OneFailureDecidesARuleAndAnUnjudgedTensorNeverPassesIt) {
  const auto outcome = [](std::vector<std::optional<bool>> passes) {
    std::vector<PeerOpinion> opinions;
    for (const auto& pass : passes) {
      opinions.emplace_back();
      opinions.back().rule = "fa2";
      opinions.back().pass = pass;
    }
    return peer_outcomes(opinions).at("fa2");
  };
  EXPECT_EQ(outcome({true, true}), true);
  EXPECT_EQ(outcome({true, false, true}), false);
  EXPECT_EQ(outcome({std::nullopt, false}), false);
  EXPECT_EQ(outcome({false, std::nullopt}), false);
  EXPECT_EQ(outcome({std::nullopt, true}), std::nullopt);
}

TEST(PeersTest, OutputsThatAreNotGivenAndFp64AreNotJudged) {
  Answered all = answered(case_of("bf16", "normal", 64), honest);
  all.observation.outputs.at(TensorName::dq).transport = Transport::not_given;
  for (const PeerOpinion& opinion : peer_opinions(all.observation, all.plain))
    EXPECT_NE(opinion.tensor, TensorName::dq);
  all = answered(case_of("f64", "normal", 16), zeros);
  EXPECT_TRUE(!all.plain.scaled_k && !all.plain.scaled_both && !all.plain.magnitude);
  EXPECT_TRUE(peer_opinions(all.observation, all.plain).empty());
}

TEST(PeersTest, AnOutputOfTheWrongSizeIsRefused) {
  Answered all = answered(case_of("bf16", "normal", 16), honest);
  all.observation.outputs.at(TensorName::o).tensor.bytes.pop_back();
  EXPECT_THROW((void)peer_opinions(all.observation, all.plain), Error);
}

TEST(PeersTest, TheMagnitudeOfARowThatSeesOneKeyIsThatOfItsValue) {
  const Case c = parse_case(
      "dir=fwd+bwd dtype=bf16 layout=bhsd hq=1 hkv=1 d=8 dv=8 seqs=4 mask=causal(top_left) "
      "dlse=true lse=required fill=normal seed=1");
  const TensorSet inputs = make_inputs(c);
  const auto oracle = reference::make_oracle({.threads = 1});
  const PlainAnswers plain = ask_plain(*oracle, c.problem, inputs);
  std::vector<double> v(32);
  decode(Dtype::bf16, inputs.at(TensorName::v).bytes, v);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_DOUBLE_EQ((*plain.magnitude)[i], std::abs(v[i]));
  EXPECT_NE(plain.scaled_k->at(TensorName::o), plain.scaled_both->at(TensorName::o));
}

TEST(PeersTest, OpinionsGoIntoTheMetricsOfTheirTensor) {
  std::vector<TensorMetrics> tensors(2);
  tensors[0].tensor = "o";
  tensors[1].tensor = "dq";
  const auto opinion = [](std::string_view rule, TensorName tensor, std::optional<bool> pass,
                          double value) {
    PeerOpinion made;
    made.rule = rule;
    made.tensor = tensor;
    made.pass = pass;
    made.value = value;
    made.limit = 2;
    return made;
  };
  add_peer_opinions(
      tensors,
      {opinion("fa2", TensorName::o, true, 1), opinion("fa2", TensorName::dq, false, 5),
       opinion("flex", TensorName::o, std::nullopt, 0), opinion("ck", TensorName::lse, true, 0)});
  EXPECT_EQ(tensors[0].peer_rules,
            (std::map<std::string, PeerVerdict>{{"fa2", {.pass = true, .share = 0.5}}}));
  EXPECT_EQ(tensors[1].peer_rules,
            (std::map<std::string, PeerVerdict>{{"fa2", {.pass = false, .share = 2.5}}}));
}

}  // namespace
}  // namespace fathom
