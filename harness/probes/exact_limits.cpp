// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/exact_limits.h"

#include <algorithm>
#include <cmath>

namespace fathom::probing {
namespace {

constexpr double u32 = 0x1p-24;
constexpr double sigmas = 48;           ///< The budget's widest z.
constexpr double truncated_steps = 16;  ///< Matrix units that cut off low bits lean one way.

/// Mean square of one rounding with unit u, relative: 0.54/3 u^2.
double kappa(double u) {
  return 0.18 * u * u;
}

}  // namespace

double summation_limit(Accumulator accumulator, int block, const Sum& sum) {
  const auto terms = static_cast<double>(std::max<Index>(sum.terms, 1));
  const double inside = std::min<double>(block, terms);
  const double blocks = std::ceil(terms / block);
  if (accumulator == Accumulator::fp16) return 0x1p-11 * (inside + blocks) * sum.absolute;
  if (accumulator == Accumulator::bf16) return 0x1p-8 * (inside + blocks) * sum.absolute;
  double variance =
      kappa(u32) * (((inside + blocks) / 3 + 8) * sum.value * sum.value + inside / 2 * sum.square);
  double steady = truncated_steps * u32 * sum.absolute;
  if (accumulator == Accumulator::tf32x1) {
    variance += kappa(0x1p-11) * sum.square;
    steady += 0x1p-11 * std::abs(sum.value);  // Weights that are normalised first.
  }
  return sigmas * std::sqrt(variance) + steady;
}

double weight_limit(Dtype dtype, const Arithmetic& arithmetic, Index n) {
  if (dtype == Dtype::f64) return fp64_share;
  const double lse = std::max(1.0, std::log(static_cast<double>(std::max<Index>(n, 1))));
  return u32 * (8 * lse + 16) + arithmetic.exp_rel;
}

double rounding_limit(Dtype dtype, Rounding rounding, double x, double slack) {
  const double step = ulp(dtype, std::abs(x) + slack);
  return rounding == Rounding::rtz ? step : step / 2;
}

double relative_rounding(Dtype dtype, Rounding rounding) {
  return unit_roundoff(dtype) * (rounding == Rounding::rtz ? 2 : 1);
}

double product_limit(Dtype dtype, const Arithmetic& arithmetic, const Sum& sum) {
  if (dtype == Dtype::f64) return fp64_share * sum.absolute;
  // Of a common weight the whole sum takes its share; those of a few splits err independently.
  const double weights = weight_limit(dtype, arithmetic, sum.terms) *
                         (std::abs(sum.value) + 4 * std::sqrt(sum.square));
  const double partial =
      is_16_bit(arithmetic.split_partial)
          ? relative_rounding(arithmetic.split_partial, Rounding::rne) * sum.absolute
          : 0;
  return summation_limit(arithmetic.acc, arithmetic.block_n, sum) + weights + partial;
}

}  // namespace fathom::probing
