// SPDX-License-Identifier: Apache-2.0

// The sigma maps, bounds and limits of the oracle's tiled passes against the model written out
// element by element, for declarations that switch every term on.

#include "harness/core/visible.h"
#include "reference/tests/support.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom::reference {
namespace {

using Map = std::vector<double>;

/// Below it an fp32 exponential is flushed to zero, or clamped.
constexpr double smallest_exp = 0x1p-126;

double square(double x) {
  return x * x;
}
double kappa_of(double unit) {
  return 0.18 * unit * unit;
}
double step(Dtype dtype, double x) {
  return x == 0 ? 0 : ulp(dtype, x);
}
double tf32_step(double x) {
  return x == 0 ? 0 : std::ldexp(1.0, std::max(std::ilogb(x), -126) - 10);
}

/// The declaration in the units that the model's terms use.
struct Units {
  double score, sum, grad_score, grad_sum, operand;
  bool tf32_forward, tf32_backward;
};
Units units_of(const Arithmetic& a) {
  const auto sum = [](Accumulator x) {
    if (x == Accumulator::fp16) return 0x1p-11;
    if (x == Accumulator::bf16) return 0x1p-8;
    return x == Accumulator::fp64 ? 0x1p-53 : 0x1p-24;
  };
  const auto score = [](Accumulator x) {
    if (x == Accumulator::tf32x1) return 0x1p-11;
    return x == Accumulator::fp64 ? 0x1p-53 : 0x1p-24;
  };
  const bool cut = a.grad_acc == Accumulator::tf32x1;
  return {score(a.acc),
          sum(a.acc),
          score(a.grad_acc),
          sum(a.grad_acc),
          cut ? 0x1p-11 : 0.0,
          a.acc == Accumulator::tf32x1,
          cut};
}

/// One (sequence, query head), everything as dense as the formulas.
class Naive {
 public:
  Naive(const Problem& p, const Arithmetic& a, const TensorSet& inputs, Index s, Index h)
      : p_(p), a_(a), u_(units_of(a)), s_(s), h_(h), kv_(h / (p.query_heads / p.kv_heads)) {
    for (const auto& [name, tensor] : inputs) x_[name] = values_of(tensor);
    lengths_ = p.sequences[static_cast<std::size_t>(s)];
    block_n_ = static_cast<double>(std::min<Index>(a.block_n, lengths_.key_length));
    block_m_ = static_cast<double>(std::min<Index>(a.block_m, lengths_.query_length));
    blocks_n_ = std::ceil(static_cast<double>(lengths_.key_length) / block_n_);
    blocks_m_ = std::ceil(static_cast<double>(lengths_.query_length) / block_m_);
  }

  double q(Index i, Index c) const {
    return at(x_.at(TensorName::q), p_, TensorName::q, s_, h_, i, c);
  }
  double k(Index j, Index c) const {
    return at(x_.at(TensorName::k), p_, TensorName::k, s_, kv_, j, c);
  }
  double v(Index j, Index c) const {
    return at(x_.at(TensorName::v), p_, TensorName::v, s_, kv_, j, c);
  }
  double dout(Index i, Index c) const {
    return at(x_.at(TensorName::dout), p_, TensorName::dout, s_, h_, i, c);
  }
  bool seen(Index i, Index j) const { return visible(p_.mask, lengths_, i, j); }
  double score(Index i, Index j) const {
    double sum = 0;
    for (Index c = 0; c < p_.head_dim; ++c) sum += q(i, c) * k(j, c);
    return softmax_scale(p_) * sum;
  }
  double spread(Index i, Index j) const {
    double sum = 0;
    for (Index c = 0; c < p_.head_dim; ++c) sum += square(q(i, c) * k(j, c));
    return 0.5 * static_cast<double>(p_.head_dim) * square(softmax_scale(p_)) * sum;
  }
  double lse(Index i) const {
    double sum = 0;
    for (Index j = 0; j < lengths_.key_length; ++j) sum += seen(i, j) ? std::exp(score(i, j)) : 0;
    return std::log(sum);
  }
  double p(Index i, Index j) const { return seen(i, j) ? std::exp(score(i, j) - lse(i)) : 0; }
  double largest_p(Index i) const {
    double most = 0;
    for (Index j = 0; j < lengths_.key_length; ++j) most = std::max(most, p(i, j));
    return most;
  }
  /// Sum over the visible keys of p^power times f(j).
  template <typename F>
  double over_keys(F f) const {
    double sum = 0;
    for (Index j = 0; j < lengths_.key_length; ++j) sum += f(j);
    return sum;
  }
  template <typename F>
  double over_queries(F f) const {
    double sum = 0;
    for (Index i = 0; i < lengths_.query_length; ++i) sum += f(i);
    return sum;
  }
  double o(Index i, Index c) const {
    return over_keys([&](Index j) { return p(i, j) * v(j, c); });
  }
  /// A lone weight is 1, whatever the rounding of the logarithm that it was divided by.
  double p_step(double weight, bool tf32) const {
    const double x = weight > 1 - 1e-12 ? 1 : weight;
    return tf32 && a_.p_dtype == Dtype::f32 ? tf32_step(x) : step(a_.p_dtype, x);
  }

  /// Relative variance of a weight, from the error of its score.
  double score_var(Index i, Index j) const {
    const double d = static_cast<double>(p_.head_dim);
    return kappa_of(u_.score) * ((d / 3 + 4) * square(score(i, j)) + spread(i, j) + 2);
  }

  double o_var(Index i, Index c) const {
    const double m = largest_p(i);
    const double out = o(i, c);
    double var = square(step(p_.dtype, out)) / 12;
    var += over_keys([&](Index j) {
      const double e = p(i, j) / m;
      const double delta2 = score_var(i, j);
      double term = square(m * p_step(e, u_.tf32_forward)) / 12 * square(v(j, c));
      term += square(p(i, j)) * delta2 * square(v(j, c) - out);
      term += kappa_of(u_.sum) * 0.5 * block_n_ * square(p(i, j) * v(j, c));
      if (u_.tf32_forward && p_.dtype == Dtype::f32)
        term += square(p(i, j) * tf32_step(v(j, c))) / 12;
      return term;
    });
    var += kappa_of(u_.sum) * ((block_n_ + blocks_n_) / 3 + 8) * square(out);
    if (a_.split_partial != Dtype::f32) {
      double rms = 0;
      for (Index other = 0; other < p_.value_dim; ++other) rms += square(o(i, other));
      rms = std::sqrt(rms / static_cast<double>(p_.value_dim));
      var += square(step(a_.split_partial, std::max(std::abs(out), rms))) / 12;
    }
    return var;
  }

  /// Of O, what P's rounding and the accumulation leave: neither scores nor the last rounding.
  double o_sum_var(Index i, Index c) const {
    const double m = largest_p(i);
    const double var = over_keys([&](Index j) {
      return (square(m * p_step(p(i, j) / m, u_.tf32_forward)) / 12 +
              kappa_of(u_.sum) * 0.5 * block_n_ * square(p(i, j))) *
             square(v(j, c));
    });
    return var + kappa_of(u_.sum) * ((block_n_ + blocks_n_) / 3 + 8) * square(o(i, c));
  }

  double dp(Index i, Index j) const {
    double sum = 0;
    for (Index c = 0; c < p_.value_dim; ++c) sum += dout(i, c) * v(j, c);
    return sum;
  }
  double delta(Index i) const {
    double sum = 0;
    for (Index c = 0; c < p_.value_dim; ++c) sum += dout(i, c) * o(i, c);
    return sum - dlse(i);
  }
  double dlse(Index i) const {
    return p_.lse_cotangent ? at(x_.at(TensorName::dlse), p_, TensorName::dlse, s_, h_, i) : 0;
  }
  double ds(Index i, Index j) const { return p(i, j) * (dp(i, j) - delta(i)); }
  double out_share() const { return a_.out_round == Rounding::rtz ? 1.0 / 3 : 1.0 / 12; }
  double p_share() const { return a_.p_round == Rounding::rtz ? 1.0 / 3 : 1.0 / 12; }
  double delta_var(Index i) const {
    const double unit = std::min(u_.grad_sum, 0x1p-24);
    double var = 0;
    for (Index c = 0; c < p_.value_dim; ++c) {
      if (a_.delta_src == DeltaSource::o_rounded)
        var += square(step(p_.dtype, o(i, c)) * dout(i, c)) * out_share();
      var +=
          0.5 * kappa_of(unit) * static_cast<double>(p_.value_dim) * square(dout(i, c) * o(i, c));
    }
    const double whole = dlse(i) + delta(i);  // dO . O
    var += over_keys(
        [&](Index j) { return square(p(i, j)) * score_var(i, j) * square(dp(i, j) - whole); });
    for (Index c = 0; c < p_.value_dim; ++c) var += square(dout(i, c)) * o_sum_var(i, c);
    return p_.lse_cotangent ? var + square(step(Dtype::f32, delta(i))) / 12 : var;
  }
  double relative(Index i, Index j) const {
    const double kappa = kappa_of(std::max(u_.score, u_.grad_score));
    const double log_p = score(i, j) - lse(i);
    return kappa * ((static_cast<double>(p_.head_dim) / 3 + 4) * std::min(log_p * log_p, 1e4) +
                    spread(i, j) + 60) +
           square(step(Dtype::f32, lse(i))) / 12 +
           over_keys([&](Index other) { return square(p(i, other)) * score_var(i, other); });
  }
  double p_var(Index i, Index j) const {
    const double weight = p(i, j);
    return square(p_step(weight, u_.tf32_backward)) * p_share() + relative(i, j) * square(weight) +
           square(smallest_exp);
  }
  double ds_var(Index i, Index j) const {
    double dp_var = 0;
    for (Index c = 0; c < p_.value_dim; ++c) dp_var += square(dout(i, c) * v(j, c));
    dp_var *= 0.5 * kappa_of(u_.grad_score) * static_cast<double>(p_.value_dim);
    const double x = ds(i, j);
    const bool cut = u_.tf32_backward && a_.ds_dtype == Dtype::f32;
    const double ds_step = cut ? tf32_step(x) : step(a_.ds_dtype, x);
    const double flushed = seen(i, j) ? square(smallest_exp * (dp(i, j) - delta(i))) : 0;
    return square(ds_step) * p_share() + relative(i, j) * square(x) + square(p(i, j)) * dp_var +
           flushed;
  }
  double chained(double block) const {
    return 0.5 * block * kappa_of(u_.grad_sum) + kappa_of(u_.operand);
  }
  double dq_var(Index i, Index c) const {
    const double scale = softmax_scale(p_);
    double sums = over_keys([&](Index j) {
      return (ds_var(i, j) + chained(block_n_) * square(ds(i, j))) * square(k(j, c));
    });
    sums += delta_var(i) * square(over_keys([&](Index j) { return p(i, j) * k(j, c); }));
    const double dq = scale * over_keys([&](Index j) { return ds(i, j) * k(j, c); });
    return square(scale) * sums + kappa_of(u_.grad_sum) * (block_n_ + blocks_n_) / 3 * square(dq) +
           square(step(p_.dtype, dq)) * out_share();
  }
  /// Without the last rounding, which comes after the sum over the group.
  double dv_var(Index j, Index c) const {
    const double dv = over_queries([&](Index i) { return p(i, j) * dout(i, c); });
    return over_queries([&](Index i) {
             return (seen(i, j) ? p_var(i, j) + chained(block_m_) * square(p(i, j)) : 0) *
                    square(dout(i, c));
           }) +
           kappa_of(u_.grad_sum) * (block_m_ + blocks_m_) / 3 * square(dv);
  }
  double dk_var(Index j, Index c) const {
    const double scale = softmax_scale(p_);
    const double dk = scale * over_queries([&](Index i) { return ds(i, j) * q(i, c); });
    const double sums = over_queries([&](Index i) {
      if (!seen(i, j)) return 0.0;
      return (ds_var(i, j) + square(p(i, j)) * delta_var(i) +
              chained(block_m_) * square(ds(i, j))) *
             square(q(i, c));
    });
    return square(scale) * sums + kappa_of(u_.grad_sum) * (block_m_ + blocks_m_) / 3 * square(dk);
  }
  double bound(Index i, Index c) const {
    const double m = largest_p(i);
    const double cut_p = a_.p_round == Rounding::rtz ? 2 : 1;
    const double cut_out = a_.out_round == Rounding::rtz ? 2 : 1;
    double all = 0;
    double visible_sum = 0;
    for (Index j = 0; j < lengths_.key_length; ++j) {
      all += p(i, j) * std::abs(v(j, c));
      visible_sum += seen(i, j) ? std::abs(v(j, c)) : 0;
    }
    double limit = cut_out * unit_roundoff(p_.dtype) * std::abs(o(i, c)) +
                   (1.25 * cut_p * unit_roundoff(a_.p_dtype) + 32 * u_.sum) * all;
    if (p_.dtype == Dtype::f16) limit += 0x1p-24;
    if (a_.p_dtype == Dtype::f16) limit += cut_p * 0x1p-25 * m * visible_sum;
    return limit;
  }
  double mean(Index i, Index c) const {
    const double m = largest_p(i);
    const double out = o(i, c);
    double sum = 0;
    if (a_.out_round == Rounding::rtz) sum -= std::copysign(0.5 * step(p_.dtype, out), out);
    if (a_.p_round != Rounding::rtz) return sum;
    return sum - over_keys([&](Index j) {
             const double e = p(i, j) / m;
             return e > 1 - 1e-12 ? 0 : 0.5 * m * p_step(e, u_.tf32_forward) * v(j, c);
           });
  }
  double lse_limit(Index i) const {
    double size = 1;
    for (Index j = 0; j < lengths_.key_length; ++j) {
      if (!seen(i, j)) continue;
      const double products = std::sqrt(2 * spread(i, j) / static_cast<double>(p_.head_dim));
      size = std::max({size, std::abs(score(i, j)), products});
    }
    const double unit = u_.tf32_forward ? 0x1p-11 : 0x1p-24;
    return 0x1p-24 * (8 * std::max(1.0, std::abs(lse(i))) + 16) +
           unit * 4 * std::sqrt(static_cast<double>(p_.head_dim)) * size + a_.exp_rel;
  }

 private:
  const Problem& p_;
  const Arithmetic& a_;
  Units u_;
  Index s_, h_, kv_;
  Sequence lengths_;
  std::map<TensorName, Map> x_;
  double block_m_, block_n_, blocks_m_, blocks_n_;
};

void expect_close(double got, double want, const char* what) {
  EXPECT_NEAR(got, want, 1e-9 * std::abs(want)) << what;
}

void compare_rows(const Problem& p, const OracleAnswer& answer, const Naive& naive, Index s,
                  Index h) {
  const OracleTensor& o = answer.at(TensorName::o);
  for (Index i = 0; i < p.sequences[static_cast<std::size_t>(s)].query_length; ++i) {
    if (visible_keys(p.mask, p.sequences[static_cast<std::size_t>(s)], i).size() == 0) continue;
    expect_close(at(answer.at(TensorName::lse).bound, p, TensorName::lse, s, h, i),
                 naive.lse_limit(i), "T_L");
    for (Index c = 0; c < p.value_dim; ++c) {
      expect_close(square(at(o.sigma, p, TensorName::o, s, h, i, c)), naive.o_var(i, c), "O");
      if (!o.mean.empty())
        expect_close(at(o.mean, p, TensorName::o, s, h, i, c), naive.mean(i, c), "mean");
      if (is_16_bit(p.dtype))
        expect_close(at(o.bound, p, TensorName::o, s, h, i, c), naive.bound(i, c), "bound");
    }
    for (Index c = 0; c < p.head_dim; ++c) {
      const double sigma = at(answer.at(TensorName::dq).sigma, p, TensorName::dq, s, h, i, c);
      expect_close(square(sigma), naive.dq_var(i, c), "dQ");
    }
  }
}

void compare_keys(const Problem& p, const Arithmetic& a, const OracleAnswer& answer,
                  const std::vector<Naive>& group, Index s, Index kv) {
  const auto compare = [&](TensorName name, Index channels, auto var_of) {
    const OracleTensor& tensor = answer.at(name);
    for (Index j = 0; j < p.sequences[static_cast<std::size_t>(s)].key_length; ++j) {
      for (Index c = 0; c < channels; ++c) {
        double var = 0;
        for (const Naive& naive : group) var += var_of(naive, j, c);
        const double rounding = step(p.dtype, at(tensor.value, p, name, s, kv, j, c));
        var += square(rounding) * (a.out_round == Rounding::rtz ? 1.0 / 3 : 1.0 / 12);
        expect_close(square(at(tensor.sigma, p, name, s, kv, j, c)), var, to_string(name).data());
      }
    }
  };
  compare(TensorName::dv, p.value_dim,
          [](const Naive& naive, Index j, Index c) { return naive.dv_var(j, c); });
  compare(TensorName::dk, p.head_dim,
          [](const Naive& naive, Index j, Index c) { return naive.dk_var(j, c); });
}

void compare(const std::string& text, const Arithmetic& a) {
  SCOPED_TRACE(text + " " + to_string(a));
  const Problem p = parse_problem(text);
  const TensorSet inputs = normal_inputs(p, 8);
  const OracleAnswer answer = ask(p, inputs, a);
  const Index group = p.query_heads / p.kv_heads;
  for (Index s = 0; s < std::ssize(p.sequences); ++s) {
    for (Index kv = 0; kv < p.kv_heads; ++kv) {
      std::vector<Naive> heads;
      for (Index h = kv * group; h < (kv + 1) * group; ++h) {
        heads.emplace_back(p, a, inputs, s, h);
        compare_rows(p, answer, heads.back(), s, h);
      }
      compare_keys(p, a, answer, heads, s, kv);
    }
  }
}

const std::string shapes[] = {
    "dir=fwd+bwd layout=thd hq=4 hkv=2 d=3 dv=2 seqs=9x11,5 mask=causal(bottom_right) "
    "lse=required dlse=true dtype=",
    "dir=fwd+bwd layout=bshd hq=1 hkv=1 d=2 dv=3 seqs=8x5 mask=causal(bottom_right) dtype=",
};

TEST(ErrorModelTest, DefaultArithmeticOfEveryDtype) {
  for (const std::string& shape : shapes) {
    for (const Dtype dtype : {Dtype::bf16, Dtype::f16, Dtype::f32}) {
      Arithmetic a = flash_arithmetic(dtype);
      a.block_m = 4;
      a.block_n = 3;
      compare(shape + std::string(to_string(dtype)), a);
      compare(shape + std::string(to_string(dtype)), upcast_arithmetic(dtype));
    }
  }
}

TEST(ErrorModelTest, EveryDeclaredAccumulator) {
  for (const Accumulator acc : {Accumulator::fp64, Accumulator::fp16, Accumulator::bf16,
                                Accumulator::tf32x1, Accumulator::tf32x3}) {
    for (const char* dtype : {"f32", "bf16"}) {
      Arithmetic a = flash_arithmetic(*parse_dtype(dtype));
      a.acc = acc;
      compare(shapes[0] + dtype, a);
      a.acc = Accumulator::fp32;
      a.grad_acc = acc;
      compare(shapes[0] + dtype, a);
    }
  }
}

TEST(ErrorModelTest, TruncationPartialsDeltaAndExponential) {
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    Arithmetic a = flash_arithmetic(dtype);
    a.p_round = Rounding::rtz;
    compare(shapes[0] + std::string(to_string(dtype)), a);
    a.p_round = Rounding::rna;
    a.out_round = Rounding::rtz;
    a.delta_src = DeltaSource::fp32;
    a.exp_rel = 5e-5;
    compare(shapes[0] + std::string(to_string(dtype)), a);
  }
  Arithmetic a = flash_arithmetic(Dtype::f32);
  a.split_partial = Dtype::bf16;
  compare(shapes[0] + "f32", a);
}

TEST(ErrorModelTest, ZeroQueriesHaveNoScoreToGetWrong) {
  const Problem p =
      parse_problem("dir=fwd dtype=bf16 layout=bshd hq=1 hkv=1 d=64 dv=2 seqs=1x1000 mask=full");
  const OracleAnswer answer = ask(p, constant_inputs(p, 0, 1, 1));
  EXPECT_DOUBLE_EQ(answer.at(TensorName::lse).bound[0], 0x1p-24 * (8 * std::log(1000) + 16));
}

TEST(ErrorModelTest, Fp64ProblemsHaveLimitsOfTheirOwn) {
  const Problem p = parse_problem(small_problems[0]);
  const OracleAnswer answer = ask(p, normal_inputs(p));
  const OracleTensor& lse = answer.at(TensorName::lse);
  EXPECT_DOUBLE_EQ(lse.bound[0], 1e-12 * std::max(1.0, std::abs(lse.value[0])));
  EXPECT_EQ(answer.at(TensorName::o).sigma.size(), answer.at(TensorName::o).value.size());
}

}  // namespace
}  // namespace fathom::reference
