// SPDX-License-Identifier: Apache-2.0
#include "harness/peers/rules.h"

#include "harness/core/types.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <string>

namespace fathom {
namespace {

constexpr std::array all_tensors{TensorName::o, TensorName::lse, TensorName::dq, TensorName::dk,
                                 TensorName::dv};

Problem problem_of(std::string_view dtype, std::string_view rest = "seqs=4x7 mask=full") {
  return parse_problem("dir=fwd+bwd dtype=" + std::string(dtype) +
                       " layout=thd hq=1 hkv=1 d=8 dv=8 " + std::string(rest));
}

/// A tensor whose every element should be `want`, is that, and is plain attention's but for
/// `plain`.
PeerTensor tensor_of(const Problem& problem, TensorName name, double want, double plain,
                     std::size_t elements = 4) {
  PeerTensor t{.problem = problem, .name = name, .dtype = problem.dtype};
  t.got = t.want = t.rounded = std::vector<double>(elements, want);
  t.plain_scaled_k = t.plain_scaled_both = std::vector<double>(elements, want + plain);
  t.magnitude = std::vector<double>(elements, 0);
  return t;
}

bool accepts(std::string_view rule, const PeerTensor& tensor) {
  return passes(find_peer_rule(rule)->judge(tensor));
}

/// The largest value that a rule accepts for one element of a tensor that should be all zeros.
struct Edge {
  std::string_view rule;
  TensorName tensor;
  std::string_view dtype;
  double plain;  ///< Plain attention's error in every element.
  double at;
};

constexpr auto o = TensorName::o;
constexpr auto dq = TensorName::dq;
constexpr auto dk = TensorName::dk;
constexpr auto dv = TensorName::dv;
constexpr auto lse = TensorName::lse;

constexpr std::array edges{
    Edge{"fa2", o, "bf16", 0.25, 0.5},
    Edge{"fa2", dk, "bf16", 0.25, 0.75},
    Edge{"fa3", o, "f32", 0.25, 0.5},
    Edge{"fa3", dq, "f32", 0.25, 0.5},
    Edge{"pytorch", o, "bf16", 0.25, 1},
    Edge{"pytorch", dq, "bf16", 0.25, 45},
    Edge{"pytorch", dk, "bf16", 0.25, 4},
    Edge{"pytorch", dv, "bf16", 0.25, 1},
    Edge{"pytorch", o, "bf16", 0, 1e-5},
    Edge{"pytorch_old", o, "bf16", 0.25, 1},
    Edge{"pytorch_old", dq, "bf16", 0.25, 40},
    Edge{"pytorch_old", dk, "bf16", 0.25, 6.25},
    Edge{"pytorch_old", dv, "bf16", 0.25, 2},
    Edge{"pytorch_old", o, "f16", 0, 4e-3},
    Edge{"pytorch_old", o, "f32", 0, 4e-5},
    Edge{"assert_close", o, "bf16", 0, 1e-5},
    Edge{"flex", o, "bf16", 0.25, 1.1},
    Edge{"flex", dq, "f16", 0.25, 1.1},
    Edge{"flex", o, "f32", 0.25, 10},
    Edge{"ck", o, "f16", 0, 1e-3},
    Edge{"ck", o, "bf16", 0, 1e-2},
    Edge{"ck", o, "f32", 0, 1e-5},
    Edge{"ck", lse, "bf16", 0, 1e-2},
    Edge{"ck", dq, "f16", 0, 1e-2},
    Edge{"te", o, "f16", 0, 1e-3},
    Edge{"te", dv, "bf16", 0, 1.5e-2},
    Edge{"te", dv, "f32", 0, 1e-5},
    Edge{"cudnn_fe", o, "bf16", 0, 2e-2},
    Edge{"cudnn_fe", lse, "bf16", 0, 2e-2},
    Edge{"cudnn_fe", dq, "bf16", 0, 2e-2},
    Edge{"cudnn_fe", dk, "bf16", 0, 7e-2},
    Edge{"cudnn_fe", dv, "f16", 0, 2e-2},
    Edge{"benchdnn", o, "bf16", 0, 0.5},   // 8 (1 + 7) 2^-7
    Edge{"benchdnn", dq, "bf16", 0, 2},    // 32 (1 + 7) 2^-7
    Edge{"benchdnn", dq, "f32", 0, 5e-2},  // the floor
    Edge{"benchdnn", o, "f32", 0, 0x1p-17},
    Edge{"flashinfer_bench", o, "bf16", 0, 1e-2},
    Edge{"flashinfer_refcheck", o, "bf16", 0, 1e-2},
    Edge{"tritonbench", o, "bf16", 0, 2e-2},
    Edge{"aiter_mha", o, "bf16", 0.25, 0.5},
    Edge{"aiter_mha", dk, "bf16", 0.25, 2.5},
    Edge{"aiter_mha", dk, "bf16", 0, 1e-2},
};

TEST(RulesTest, TheLimitIsAcceptedAndTheNextNumberIsNot) {
  for (const Edge& edge : edges) {
    SCOPED_TRACE(std::string(edge.rule) + " " + std::string(to_string(edge.tensor)) + " " +
                 std::string(edge.dtype));
    const Problem problem = problem_of(edge.dtype);
    ASSERT_TRUE(find_peer_rule(edge.rule)->applies(problem.dtype, edge.tensor));
    PeerTensor t = tensor_of(problem, edge.tensor, 0, edge.plain);
    EXPECT_TRUE(accepts(edge.rule, t));
    for (const double sign : {1.0, -1.0}) {
      t.got[2] = sign * edge.at;
      EXPECT_TRUE(accepts(edge.rule, t));
      t.got[2] = std::nextafter(t.got[2], sign * 1e9);
      EXPECT_FALSE(accepts(edge.rule, t));
    }
  }
}

TEST(RulesTest, RelativeTolerancesCountFromTheReference) {
  struct Row {
    std::string_view rule;
    double tolerance;  ///< Absolute and relative, of an element that should be 4.
  };
  for (const Row& row :
       {Row{"assert_close", 1e-5 + 4 * 1.6e-2}, Row{"ck", 5e-2}, Row{"te", 7.5e-2},
        Row{"cudnn_fe", 0.1}, Row{"flashinfer_refcheck", 0.81}, Row{"tritonbench", 6e-2},
        Row{"pytorch_old", 4 * (1e-3 + 4 * 1.6e-2)}, Row{"flashinfer_bench", 4e-2}}) {
    SCOPED_TRACE(row.rule);
    const Problem problem = problem_of("bf16");
    PeerTensor t = tensor_of(problem, o, 4, 0);
    t.got[1] = 4 + 0.999 * row.tolerance;
    EXPECT_TRUE(accepts(row.rule, t));
    t.got[1] = 4 + 1.001 * row.tolerance;
    EXPECT_FALSE(accepts(row.rule, t));
  }
}

TEST(RulesTest, Fa2LoosensItsLimitUnderACausalMaskWithOffset) {
  const auto limit = [](std::string_view rest, TensorName name) {
    const Problem problem = problem_of("bf16", rest);
    return find_peer_rule("fa2")->judge(tensor_of(problem, name, 0, 0.25)).limit;
  };
  EXPECT_EQ(limit("seqs=4 mask=causal(bottom_right)", dq), 0.75);
  EXPECT_EQ(limit("seqs=4x7 mask=causal(bottom_right)", dq), 0.5 + 2e-4);
  EXPECT_EQ(limit("seqs=4x7 mask=causal(bottom_right)", o), 0.5 + 1e-5);
  EXPECT_EQ(limit("seqs=4x7 mask=window(2,0)", o), 0.5 + 1e-5);
  EXPECT_EQ(limit("seqs=4x7 mask=full", dq), 0.75);
}

TEST(RulesTest, Fa3AddsTheNoiseOfOneSumInTheDtype) {
  const Problem problem = problem_of("bf16");
  PeerTensor t = tensor_of(problem, o, 1, 0.25);
  // bf16: 1 + 0.3 = 1.296875 and 1.296875 - 0.3 = 0.99609375 (0.996875 has no closer neighbour).
  EXPECT_EQ(find_peer_rule("fa3")->judge(t).limit, 0.5 + 2 * (1 - 0.99609375));
}

TEST(RulesTest, PytorchOldTakesARelativeToleranceFromPlainAttention) {
  const Problem problem = problem_of("bf16");
  PeerTensor t = tensor_of(problem, o, 4, 0.25);  // A = 4 x 0.25, B = 4 x 0.0625
  t.got[1] = 4 + 2;
  EXPECT_TRUE(accepts("pytorch_old", t));
  t.got[1] = 4 + 2.001;
  EXPECT_FALSE(accepts("pytorch_old", t));
}

TEST(RulesTest, CkIsLooserOnWideHeadsInBf16) {
  Problem problem = problem_of("bf16");
  problem.head_dim = problem.value_dim = 192;
  PeerTensor t = tensor_of(problem, dk, 0, 0);
  t.got[0] = 3.2e-2;
  EXPECT_TRUE(accepts("ck", t));
  problem.dtype = Dtype::f16;
  EXPECT_FALSE(accepts("ck", t));
}

TEST(RulesTest, BenchdnnAcceptsAnElementByItsConditioning) {
  const Problem problem = problem_of("bf16");
  PeerTensor t = tensor_of(problem, o, 0, 0);
  t.magnitude[3] = 128;
  t.got[3] = 1;
  EXPECT_TRUE(accepts("benchdnn", t));
  t.got[3] = 1.01;
  EXPECT_FALSE(accepts("benchdnn", t));
}

TEST(RulesTest, FlashinferBenchWantsBothErrorsLarge) {
  const Problem problem = problem_of("bf16");
  PeerTensor t = tensor_of(problem, o, 100, 0);
  t.got[0] = 100.9;
  EXPECT_TRUE(accepts("flashinfer_bench", t));
  t.got[0] = 101.1;
  EXPECT_FALSE(accepts("flashinfer_bench", t));
}

TEST(RulesTest, GgmlAndCosineLookAtTheWholeTensor) {
  const Problem problem = problem_of("bf16");
  PeerTensor t = tensor_of(problem, o, 1, 0);
  for (double& x : t.got) x = 1 + std::sqrt(0.999 * 5e-4);
  EXPECT_TRUE(accepts("ggml", t));
  EXPECT_TRUE(accepts("cosine", t));
  for (double& x : t.got) x = 1 + std::sqrt(1.001 * 5e-4);
  EXPECT_FALSE(accepts("ggml", t));
  EXPECT_TRUE(accepts("cosine", t)) << "a wrong scale has no angle";
  for (const double angle : {0.0447, 0.0448}) {  // acos(0.999) = 0.04472
    t.want = {1, 0};
    t.got = {std::cos(angle), std::sin(angle)};
    EXPECT_EQ(accepts("cosine", t), angle < 0.04472);
  }
}

TEST(RulesTest, AiterAllcloseAcceptsFivePercentOfAnything) {
  const Problem problem = problem_of("bf16");
  PeerTensor t = tensor_of(problem, o, 0, 0, 100);
  for (std::size_t i = 0; i < 5; ++i) t.got[i] = nan;
  EXPECT_TRUE(accepts("aiter_allclose", t));
  t.got[5] = 1;
  EXPECT_FALSE(accepts("aiter_allclose", t));
}

TEST(RulesTest, NanFailsEveryRule) {
  for (const PeerRule& rule : peer_rules()) {
    for (const TensorName name : all_tensors) {
      const Problem problem = problem_of("bf16");
      if (!rule.applies(problem.dtype, name)) continue;
      PeerTensor t = tensor_of(problem, name, 1, 0, 64);
      EXPECT_TRUE(passes(rule.judge(t))) << rule.name;
      t.got[63] = nan;
      EXPECT_EQ(passes(rule.judge(t)), rule.name == "aiter_allclose") << rule.name;
      t.got.assign(64, nan);
      EXPECT_FALSE(passes(rule.judge(t))) << rule.name;
    }
  }
}

TEST(RulesTest, EveryRuleIsNamedLinkedAndOfUse) {
  std::set<std::string_view> names;
  for (const PeerRule& rule : peer_rules()) {
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
    EXPECT_EQ(find_peer_rule(rule.name), &rule);
    EXPECT_TRUE(rule.link.starts_with("https://")) << rule.name;
    EXPECT_FALSE(rule.what.empty() || rule.project.empty()) << rule.name;
    EXPECT_TRUE(rule.applies(Dtype::bf16, o)) << rule.name;
    EXPECT_FALSE(rule.applies(Dtype::f64, o)) << rule.name;
  }
  EXPECT_EQ(names.size(), 17U);
  EXPECT_EQ(find_peer_rule("fa5"), nullptr);
}

TEST(RulesTest, AMissingYardstickStopsOnlyTheRulesThatNeedIt) {
  const Problem problem = problem_of("bf16");
  PeerTensor t = tensor_of(problem, o, 0, 0);
  t.plain_scaled_k = t.plain_scaled_both = t.magnitude = {};
  for (const PeerRule& rule : peer_rules()) {
    EXPECT_EQ(can_judge(rule, t), rule.needs == Yardstick::none) << rule.name;
  }
  t.name = dq;
  EXPECT_TRUE(can_judge(*find_peer_rule("benchdnn"), t));
}

}  // namespace
}  // namespace fathom
