// SPDX-License-Identifier: Apache-2.0

// Attention whose answer is known on paper.

#include "harness/core/types.h"
#include "harness/core/visible.h"
#include "reference/tests/support.h"

#include <gtest/gtest.h>

namespace fathom::reference {
namespace {

TEST(ClosedFormTest, ZeroQueriesAverageTheVisibleValues) {
  for (const char* text : small_problems) {
    SCOPED_TRACE(text);
    const Problem p = parse_problem(text);
    TensorSet inputs = normal_inputs(p);
    inputs[TensorName::q] = constant_inputs(p, 0, 0, 0)[TensorName::q];
    const std::vector<double> v = values_of(inputs[TensorName::v]);
    const OracleAnswer answer = ask(p, inputs);
    for (Index s = 0; s < std::ssize(p.sequences); ++s) {
      const Sequence& lengths = p.sequences[static_cast<std::size_t>(s)];
      for (Index i = 0; i < lengths.query_length; ++i) {
        double count = 0;
        double sum = 0;
        for (Index j = 0; j < lengths.key_length; ++j) {
          if (!visible(p.mask, lengths, i, j)) continue;
          count += 1;
          sum += at(v, p, TensorName::v, s, 0, j, 0);
        }
        const double o = at(answer.at(TensorName::o).value, p, TensorName::o, s, 0, i, 0);
        const double lse = at(answer.at(TensorName::lse).value, p, TensorName::lse, s, 0, i);
        EXPECT_NEAR(o, count > 0 ? sum / count : 0, 1e-15);
        if (count == 0) {
          EXPECT_EQ(lse, -infinity);
        } else {
          EXPECT_NEAR(lse, std::log(count), 1e-15);
        }
      }
    }
  }
}

TEST(ClosedFormTest, OneKeyIsCopiedAndItsLogitIsTheLse) {
  const Problem p = parse_problem(
      "dir=fwd+bwd dtype=f64 layout=bshd hq=1 hkv=1 d=2 dv=3 seqs=1x1 mask=full scale=0.5 "
      "lse=required dlse=true");
  TensorSet inputs = normal_inputs(p);
  const std::vector<double> q = values_of(inputs[TensorName::q]);
  const std::vector<double> k = values_of(inputs[TensorName::k]);
  const double dlse = values_of(inputs[TensorName::dlse])[0];
  const OracleAnswer answer = ask(p, inputs);
  EXPECT_EQ(answer.at(TensorName::o).value, values_of(inputs[TensorName::v]));
  EXPECT_EQ(answer.at(TensorName::dv).value, values_of(inputs[TensorName::dout]));
  EXPECT_NEAR(answer.at(TensorName::lse).value[0], 0.5 * (q[0] * k[0] + q[1] * k[1]), 1e-15);
  // The weight is 1 whatever the logit, so only LSE depends on Q and K.
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(answer.at(TensorName::dq).value[c], 0.5 * dlse * k[c], 1e-15);
    EXPECT_NEAR(answer.at(TensorName::dk).value[c], 0.5 * dlse * q[c], 1e-15);
  }
}

TEST(ClosedFormTest, TwoKeysAreALogisticFunctionOfTheirLogits) {
  const Problem p = parse_problem(
      "dir=fwd+bwd dtype=f64 layout=bshd hq=1 hkv=1 d=1 dv=1 seqs=1x2 mask=full scale=1");
  TensorSet inputs = constant_inputs(p, 0.7, 0, 1);
  inputs[TensorName::k] = make_tensor(inputs[TensorName::k].spec, {2, -1});
  inputs[TensorName::v] = make_tensor(inputs[TensorName::v].spec, {1, 0});
  const double p0 = 1 / (1 + std::exp(-0.7 * 3));
  const double slope = p0 * (1 - p0);
  const OracleAnswer answer = ask(p, inputs);
  EXPECT_NEAR(answer.at(TensorName::o).value[0], p0, 1e-15);
  EXPECT_NEAR(answer.at(TensorName::lse).value[0], 1.4 - std::log(p0), 1e-15);
  EXPECT_NEAR(answer.at(TensorName::dq).value[0], 3 * slope, 1e-15);
  EXPECT_NEAR(answer.at(TensorName::dk).value[0], 0.7 * slope, 1e-15);
  EXPECT_NEAR(answer.at(TensorName::dk).value[1], -0.7 * slope, 1e-15);
  EXPECT_NEAR(answer.at(TensorName::dv).value[1], 1 - p0, 1e-15);
}

TEST(ClosedFormTest, LogitsFarBeyondTheRangeOfExpAreHarmless) {
  const Problem p = parse_problem(
      "dir=fwd+bwd dtype=f32 layout=bshd hq=1 hkv=1 d=1 dv=1 seqs=1x3 mask=full scale=1");
  TensorSet inputs = constant_inputs(p, 1, 0, 1);
  for (const double sign : {1.0, -1.0}) {
    inputs[TensorName::k] = make_tensor(inputs[TensorName::k].spec, {sign * 5000, 0, sign * 5000});
    const OracleAnswer answer = ask(p, inputs);
    EXPECT_DOUBLE_EQ(answer.at(TensorName::lse).value[0], sign > 0 ? 5000 + std::log(2) : 0);
    EXPECT_DOUBLE_EQ(answer.at(TensorName::o).value[0], 1);
    // The exponential stops at the smallest number of its instruction set.
    EXPECT_NEAR(answer.at(TensorName::dv).value[1], sign > 0 ? 0 : 1, 1e-300);
  }
}

/// The gradient of sum_i dO_i O_i is linear in dO, and dV's sum over keys is the sum of dO.
TEST(ClosedFormTest, ValueGradientsAddUpToTheCotangentOfRowsWithAKey) {
  for (const char* text : small_problems) {
    SCOPED_TRACE(text);
    const Problem p = parse_problem(text);
    TensorSet inputs = normal_inputs(p);
    const std::vector<double> dout = values_of(inputs[TensorName::dout]);
    const OracleAnswer answer = ask(p, inputs);
    const Index group = p.query_heads / p.kv_heads;
    for (Index s = 0; s < std::ssize(p.sequences); ++s) {
      const Sequence& lengths = p.sequences[static_cast<std::size_t>(s)];
      double sum = 0;
      for (Index j = 0; j < lengths.key_length; ++j)
        sum += at(answer.at(TensorName::dv).value, p, TensorName::dv, s, 0, j, 0);
      double want = 0;
      for (Index h = 0; h < group; ++h) {
        for (Index i = 0; i < lengths.query_length; ++i) {
          if (visible_keys(p.mask, lengths, i).size() > 0)
            want += at(dout, p, TensorName::dout, s, h, i, 0);
        }
      }
      EXPECT_NEAR(sum, want, 1e-14);
    }
  }
}

TEST(ClosedFormTest, WhatNoVisiblePairTouchesIsExactlyZeroWithZeroSigma) {
  // Queries 0 and 1 see no key; keys 3 and 4 of the second head are seen by none.
  const Problem p = parse_problem(
      "dir=fwd+bwd dtype=bf16 layout=thd hq=2 hkv=1 d=4 dv=4 seqs=5x3,2x5 "
      "mask=causal(bottom_right)&window(-1,-1)&document(3) lse=required dlse=true");
  const OracleAnswer answer = ask(p, normal_inputs(p));
  for (Index i = 0; i < 2; ++i) {
    for (const TensorName name : {TensorName::o, TensorName::dq}) {
      EXPECT_EQ(at(answer.at(name).value, p, name, 0, 1, i, 2), 0);
      EXPECT_EQ(at(answer.at(name).sigma, p, name, 0, 1, i, 2), 0);
    }
    EXPECT_EQ(at(answer.at(TensorName::o).bound, p, TensorName::o, 0, 1, i, 2), 0);
    EXPECT_EQ(at(answer.at(TensorName::lse).value, p, TensorName::lse, 0, 1, i), -infinity);
    EXPECT_EQ(at(answer.at(TensorName::lse).bound, p, TensorName::lse, 0, 1, i), 0);
  }
  // In the second sequence both queries lie in the second document, keys 3 and 4.
  for (const TensorName name : {TensorName::dk, TensorName::dv}) {
    for (Index j = 0; j < 5; ++j) {
      const double sigma = at(answer.at(name).sigma, p, name, 1, 0, j, 1);
      const double value = at(answer.at(name).value, p, name, 1, 0, j, 1);
      if (j < 3) {
        EXPECT_EQ(value, 0);
        EXPECT_EQ(sigma, 0);
      } else {
        EXPECT_GT(sigma, 0);
      }
    }
  }
}

}  // namespace
}  // namespace fathom::reference
