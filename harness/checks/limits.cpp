// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/limits.h"

#include "harness/checks/chi_square.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom {
namespace {

using enum TensorName;
using enum Dtype;
using enum Family;
constexpr std::optional<double> none;

// tensor, dtype, family, row_rho, z_max, tensor_rho, bias_z, gain. fp32 errors come from the
// scores, whose model is coarser than a rounding's, hence the wider rows; dK in fp32 carries the
// rank-1 error of D. Gradients are judged alike for both families.
constexpr std::array table{
    LimitRow{o, f32, generic, 6, 24, 2.0, none, 2e-6},
    LimitRow{o, f32, adversarial, 16, 48, none, none, none},
    LimitRow{o, f16, generic, 2, 8, 1.2, 8, 1e-4},
    LimitRow{o, f16, adversarial, 4, 16, none, none, none},
    LimitRow{o, bf16, generic, 2, 8, 1.2, 8, 3e-4},
    LimitRow{o, bf16, adversarial, 4, 16, none, none, none},
    LimitRow{dq, f32, both, 16, 32, 2.5, none, none},
    LimitRow{dq, f16, both, 8, 12, 1.4, none, none},
    LimitRow{dq, bf16, both, 8, 12, 1.4, none, none},
    LimitRow{dk, f32, both, 48, 80, 2.5, none, none},
    LimitRow{dk, f16, both, 8, 12, 1.4, none, none},
    LimitRow{dk, bf16, both, 8, 12, 1.4, none, none},
    LimitRow{dv, f32, both, 16, 32, 2.5, none, none},
    LimitRow{dv, f16, both, 3, 12, 1.4, none, none},
    LimitRow{dv, bf16, both, 3, 12, 1.4, none, none},
};

/// Tensor-wide statistics of fewer rows scatter too much.
constexpr Index min_rows = 16;

const LimitRow& row_for(TensorName tensor, Dtype dtype, Fill fill) {
  const Family family = info(fill).adversarial ? adversarial : generic;
  return *std::find_if(table.begin(), table.end(), [&](const LimitRow& row) {
    return row.tensor == tensor && row.dtype == dtype &&
           (row.family == both || row.family == family);
  });
}

bool bias_is_valid(Fill fill) {
  return fill == Fill::normal || fill == Fill::flat || fill == Fill::uniform11;
}

/// What the rms of z may reach where rows share their errors, so that few of them are independent:
/// the mean of z^2 is 1 with a variance of about 1 over their number.
double honest_rho(const Score& score) {
  const double coherence = rho_coherence(score.all, score.channels);
  return std::sqrt(1 + 6 * std::sqrt(coherence / static_cast<double>(score.all.elements)));
}

bool truncates(const Arithmetic& arithmetic) {
  return arithmetic.p_round == Rounding::rtz || arithmetic.out_round == Rounding::rtz;
}

}  // namespace

std::span<const LimitRow> limit_rows() {
  return table;
}

double narrow_row_rho(Index rows, Index channels) {
  const double tail = 1e-7 / static_cast<double>(std::max<Index>(rows, 1));
  return 1.15 *
         std::sqrt(chi_square_upper_quantile(channels, tail) / static_cast<double>(channels));
}

Limits limits_for(const Case& c, const Arithmetic& arithmetic, TensorName tensor,
                  const Score& score) {
  Limits limits;
  if (c.problem.dtype == f64) {
    limits.rel_f = fp64_limit;
    return limits;
  }
  if (score.all.rows == 0) return limits;
  const LimitRow& row = row_for(tensor, c.problem.dtype, c.fill);
  const Index channels = score.all.elements / score.all.rows;
  limits.row_rho = std::max(*row.row_rho, narrow_row_rho(score.all.rows, channels));
  limits.z_max = row.z_max;
  const bool averages = score.averaging.rows >= min_rows;
  if (tensor != o) {
    // Elsewhere the error of D, one random number for a whole row of dS, does not average out.
    if (info(c.fill).zero_mean && averages) limits.tensor_rho = row.tensor_rho;
    return limits;
  }
  // The bound counts the roundings of P and O but not the scores' own error, which only a P rounded
  // to 16 bits outweighs: a backend that upcasts leaves it honestly where outliers make |s| large.
  if (is_16_bit(c.problem.dtype) && is_16_bit(arithmetic.p_dtype)) limits.hard_bound = 1;
  if (score.all.rows >= min_rows && row.tensor_rho) {
    limits.tensor_rho = std::max(*row.tensor_rho, honest_rho(score));
  }
  if (!averages || truncates(arithmetic)) return limits;
  if (row.bias_z && bias_is_valid(c.fill)) {
    limits.bias_z =
        *row.bias_z * std::sqrt(bias_coherence(score.averaging, score.averaging_channels));
  }
  // Repeated keys round coherently, which looks like a common factor.
  if (row.gain && c.fill != Fill::dupkeys) {
    const double coherence = gain_coherence(score.averaging, score.averaging_channels);
    limits.gain = std::max(*row.gain, 6 * std::sqrt(coherence / score.averaging.rr));
  }
  return limits;
}

}  // namespace fathom
