// SPDX-License-Identifier: Apache-2.0

// Values and gradients against two evaluations that share nothing with the oracle's passes: its
// own forward differenced numerically, and a ratio of plain sums of exponentials in long double,
// differentiated by a step into the complex plane.

#include "harness/core/visible.h"
#include "reference/tests/support.h"

#include <gtest/gtest.h>

#include <complex>

namespace fathom::reference {
namespace {

/// The function whose gradients the backward pass returns: sum dO O + sum dLSE LSE.
double loss_by_oracle(const Problem& p, const TensorSet& inputs) {
  const OracleAnswer answer = ask(p, inputs);
  const std::vector<double> dout = values_of(inputs.at(TensorName::dout));
  double loss = 0;
  for (std::size_t i = 0; i < dout.size(); ++i) loss += dout[i] * answer.at(TensorName::o).value[i];
  if (!p.lse_cotangent) return loss;
  const std::vector<double> dlse = values_of(inputs.at(TensorName::dlse));
  const std::vector<double>& lse = answer.at(TensorName::lse).value;
  for (std::size_t i = 0; i < dlse.size(); ++i) {
    if (std::isfinite(lse[i])) loss += dlse[i] * lse[i];
  }
  return loss;
}

TensorSet with_element(TensorSet inputs, TensorName name, std::size_t index, double value) {
  std::vector<double> values = values_of(inputs[name]);
  values[index] = value;
  inputs[name] = make_tensor(inputs[name].spec, values);
  return inputs;
}

struct Pair {
  TensorName input, gradient;
};
constexpr Pair pairs[] = {{TensorName::q, TensorName::dq},
                          {TensorName::k, TensorName::dk},
                          {TensorName::v, TensorName::dv}};

TEST(DerivativeTest, GradientsAreTheCentralDifferencesOfTheForwardPass) {
  constexpr double step = 1e-4;
  for (const char* text : small_problems) {
    SCOPED_TRACE(text);
    const Problem p = parse_problem(text);
    const TensorSet inputs = normal_inputs(p, 3);
    const OracleAnswer answer = ask(p, inputs);
    for (const auto& [input, gradient] : pairs) {
      const std::vector<double> x = values_of(inputs.at(input));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double up = loss_by_oracle(p, with_element(inputs, input, i, x[i] + step));
        const double down = loss_by_oracle(p, with_element(inputs, input, i, x[i] - step));
        // Truncation is step^2 / 6 times a third derivative of order ten.
        EXPECT_NEAR((up - down) / (2 * step), answer.at(gradient).value[i], 5e-7)
            << to_string(gradient) << " " << i;
      }
    }
  }
}

using Complex = std::complex<long double>;
using ComplexSet = std::map<TensorName, std::vector<Complex>>;

struct Sums {
  std::vector<Complex> o, lse;  ///< LSE 0 where no key is visible.
  Complex loss = 0;
};

/// O = sum e^s v / sum e^s, key by key and without a running maximum: N(0,1) logits do not
/// overflow long double.
void add_row(const Problem& p, const ComplexSet& x, Index s, Index h, Index i, Sums& sums) {
  const Sequence& lengths = p.sequences[static_cast<std::size_t>(s)];
  const Index kv = h / (p.query_heads / p.kv_heads);
  std::vector<Complex> top(static_cast<std::size_t>(p.value_dim));
  Complex bottom = 0;
  for (Index j = 0; j < lengths.key_length; ++j) {
    if (!visible(p.mask, lengths, i, j)) continue;
    Complex dot = 0;
    for (Index c = 0; c < p.head_dim; ++c) {
      dot += at(x.at(TensorName::q), p, TensorName::q, s, h, i, c) *
             at(x.at(TensorName::k), p, TensorName::k, s, kv, j, c);
    }
    const Complex weight = std::exp(static_cast<long double>(softmax_scale(p)) * dot);
    bottom += weight;
    for (Index c = 0; c < p.value_dim; ++c) {
      top[static_cast<std::size_t>(c)] +=
          weight * at(x.at(TensorName::v), p, TensorName::v, s, kv, j, c);
    }
  }
  if (bottom == Complex(0)) return;
  for (Index c = 0; c < p.value_dim; ++c) {
    const Complex o = top[static_cast<std::size_t>(c)] / bottom;
    at(sums.o, p, TensorName::o, s, h, i, c) = o;
    sums.loss += o * at(x.at(TensorName::dout), p, TensorName::dout, s, h, i, c);
  }
  at(sums.lse, p, TensorName::lse, s, h, i) = std::log(bottom);
  if (p.lse_cotangent)
    sums.loss += std::log(bottom) * at(x.at(TensorName::dlse), p, TensorName::dlse, s, h, i);
}

Sums sum_exponentials(const Problem& p, const ComplexSet& x) {
  Sums sums;
  sums.o.resize(x.at(TensorName::dout).size());
  sums.lse.resize(static_cast<std::size_t>(cu_seqlens_q(p).back() * p.query_heads));
  for (Index s = 0; s < std::ssize(p.sequences); ++s) {
    for (Index h = 0; h < p.query_heads; ++h) {
      for (Index i = 0; i < p.sequences[static_cast<std::size_t>(s)].query_length; ++i)
        add_row(p, x, s, h, i, sums);
    }
  }
  return sums;
}

ComplexSet complex_inputs(const TensorSet& inputs) {
  ComplexSet x;
  for (const auto& [name, tensor] : inputs) {
    for (const double value : values_of(tensor)) x[name].emplace_back(value);
  }
  return x;
}

TEST(DerivativeTest, ValuesAreRatiosOfSumsOfExponentials) {
  for (const char* text : small_problems) {
    SCOPED_TRACE(text);
    const Problem p = parse_problem(text);
    const TensorSet inputs = normal_inputs(p, 4);
    const OracleAnswer answer = ask(p, inputs);
    const Sums sums = sum_exponentials(p, complex_inputs(inputs));
    const OracleTensor& o = answer.at(TensorName::o);
    for (std::size_t i = 0; i < o.value.size(); ++i)
      EXPECT_NEAR(o.value[i], static_cast<double>(sums.o[i].real()), 1e-14);
    const OracleTensor& lse = answer.at(TensorName::lse);
    for (std::size_t i = 0; i < lse.value.size(); ++i) {
      if (std::isfinite(lse.value[i])) {
        EXPECT_NEAR(lse.value[i], static_cast<double>(sums.lse[i].real()), 1e-14);
      }
    }
  }
}

TEST(DerivativeTest, GradientsAreComplexStepsOfSumsOfExponentials) {
  constexpr long double step = 1e-40L;  // Free of cancellation, so it may be as small as we like.
  for (const char* text : small_problems) {
    SCOPED_TRACE(text);
    const Problem p = parse_problem(text);
    const TensorSet inputs = normal_inputs(p, 5);
    const OracleAnswer answer = ask(p, inputs);
    ComplexSet x = complex_inputs(inputs);
    for (const auto& [input, gradient] : pairs) {
      for (std::size_t i = 0; i < x[input].size(); ++i) {
        x[input][i].imag(step);
        const long double slope = sum_exponentials(p, x).loss.imag() / step;
        x[input][i].imag(0);
        EXPECT_NEAR(answer.at(gradient).value[i], static_cast<double>(slope), 2e-14)
            << to_string(gradient) << " " << i;
      }
    }
  }
}

// Long enough for several strips of queries, steps of keys and blocks of keys.
TEST(DerivativeTest, DirectionalDerivativesHoldAcrossTiles) {
  constexpr long double step = 1e-40L;
  for (const char* text : {
           "dir=fwd+bwd dtype=f64 layout=thd hq=2 hkv=1 d=3 dv=2 seqs=300,150x600,290p140 "
           "mask=prefix_lm lse=required dlse=true",
           "dir=fwd+bwd dtype=f64 layout=bshd hq=2 hkv=2 d=3 dv=2 seqs=280x530 mask=window(200,30)",
       }) {
    SCOPED_TRACE(text);
    const Problem p = parse_problem(text);
    const TensorSet inputs = normal_inputs(p, 6);
    const TensorSet directions = normal_inputs(p, 7);
    const OracleAnswer answer = ask(p, inputs);
    for (const auto& [input, gradient] : pairs) {
      const std::vector<double> direction = values_of(directions.at(input));
      ComplexSet x = complex_inputs(inputs);
      double product = 0;
      double size = 0;
      for (std::size_t i = 0; i < direction.size(); ++i) {
        x[input][i].imag(step * direction[i]);
        product += direction[i] * answer.at(gradient).value[i];
        size += std::abs(direction[i] * answer.at(gradient).value[i]);
      }
      const long double slope = sum_exponentials(p, x).loss.imag() / step;
      EXPECT_NEAR(product, static_cast<double>(slope), 1e-14 * size) << to_string(gradient);
    }
  }
}

}  // namespace
}  // namespace fathom::reference
