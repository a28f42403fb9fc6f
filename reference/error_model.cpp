// SPDX-License-Identifier: Apache-2.0
#include "reference/error_model.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom::reference {
namespace {

constexpr Grid tf32_grid{0x1p-10, 0x1p-126};

/// What an accumulator does to a sum, and to the operands and results of a product.
struct AccumulatorRow {
  Accumulator name;
  double sum_unit;      ///< u of the running sum.
  double score_unit;    ///< u of a logit: tf32 rounds Q and K first.
  double operand_unit;  ///< u of the operands' rounding; 0 if they enter as stored.
};
constexpr std::array accumulators{
    AccumulatorRow{Accumulator::fp64, 0x1p-53, 0x1p-53, 0},
    AccumulatorRow{Accumulator::fp32, 0x1p-24, 0x1p-24, 0},
    AccumulatorRow{Accumulator::fp16, 0x1p-11, 0x1p-24, 0},
    AccumulatorRow{Accumulator::bf16, 0x1p-8, 0x1p-24, 0},
    AccumulatorRow{Accumulator::tf32x1, 0x1p-24, 0x1p-11, 0x1p-11},
    AccumulatorRow{Accumulator::tf32x3, 0x1p-24, 0x1p-24, 0},  // Three products restore fp32.
};

const AccumulatorRow& row_of(Accumulator name) {
  return accumulators[static_cast<std::size_t>(name)];
}

/// Mean of (ulp^2/12) / x^2 over a log-uniform mantissa is 0.54/3 u^2.
double kappa(double unit) {
  return 0.18 * unit * unit;
}

double ulp_square_share(Rounding rounding) {
  return rounding == Rounding::rtz ? 1.0 / 3 : 1.0 / 12;
}

/// An fp32 P that a tf32 product reads has the steps of tf32.
Grid weight_grid(Dtype dtype, Accumulator accumulator) {
  const bool cut = accumulator == Accumulator::tf32x1 && dtype == Dtype::f32;
  return cut ? tf32_grid : grid_of(dtype);
}

void set_bound(ErrorModel& m, const Problem& problem, const Arithmetic& a) {
  m.hard_bound = is_16_bit(problem.dtype);
  const double out_truncated = m.out_truncates ? 2 : 1;
  const double p_truncated = m.p_truncates ? 2 : 1;
  m.bound_out = out_truncated * unit_roundoff(problem.dtype);
  m.bound_weights = 1.25 * p_truncated * m.p.step / 2 + 32 * row_of(a.acc).sum_unit;
  m.bound_partial = m.rounds_partials ? unit_roundoff(a.split_partial) : 0;
  m.bound_constant = problem.dtype == Dtype::f16 ? 0x1p-24 : 0;
  m.bound_subnormal = a.p_dtype == Dtype::f16 ? p_truncated * 0x1p-25 : 0;
}

}  // namespace

Grid grid_of(Dtype dtype) {
  const DtypeInfo& row = info(dtype);
  return {std::ldexp(1.0, 1 - row.precision), std::ldexp(1.0, row.min_exponent)};
}

ErrorModel make_error_model(const Problem& problem, const Arithmetic& a) {
  ErrorModel m;
  if (problem.dtype == Dtype::f64) {
    m.sigma = false;
    return m;
  }
  const AccumulatorRow& forward = row_of(a.acc);
  const AccumulatorRow& backward = row_of(a.grad_acc);
  m.p_truncates = a.p_round == Rounding::rtz;
  m.out_truncates = a.out_round == Rounding::rtz;
  m.rounds_partials = is_16_bit(a.split_partial);
  m.tf32_values = a.acc == Accumulator::tf32x1 && problem.dtype == Dtype::f32;
  m.p = weight_grid(a.p_dtype, a.acc);
  m.grad_p = weight_grid(a.p_dtype, a.grad_acc);
  m.ds = weight_grid(a.ds_dtype, a.grad_acc);
  m.out = grid_of(problem.dtype);
  m.partial = grid_of(a.split_partial);
  m.lse = grid_of(Dtype::f32);
  m.tf32 = tf32_grid;
  m.grad_p_var = ulp_square_share(a.p_round);
  m.grad_out_var = ulp_square_share(a.out_round);
  m.kappa_score = kappa(forward.score_unit);
  m.kappa_sum = kappa(forward.sum_unit);
  m.kappa_grad_score = kappa(std::max(forward.score_unit, backward.score_unit));
  m.kappa_grad_dot = kappa(backward.score_unit);
  m.kappa_grad_sum = kappa(backward.sum_unit);
  m.kappa_grad_operand = kappa(backward.operand_unit);
  m.kappa_delta = kappa(std::min(backward.sum_unit, 0x1p-24));
  m.smallest_exp = 0x1p-126;
  m.delta_from_rounded = a.delta_src == DeltaSource::o_rounded;
  m.lse_score_unit = std::max(forward.score_unit, 0x1p-24);
  m.lse_exp_rel = a.exp_rel;
  m.block_m = a.block_m;
  m.block_n = a.block_n;
  set_bound(m, problem, a);
  return m;
}

}  // namespace fathom::reference
