// SPDX-License-Identifier: Apache-2.0
#pragma once

// Included by the kernel sources only, each of which is compiled once per instruction set with
// FATHOM_ISA naming the build. Eigen is renamed along with it: two builds of one template under
// one name would be merged by the linker, and a baseline CPU would meet AVX2 instructions.
#ifndef FATHOM_ISA
#error "FATHOM_ISA names the build of the kernels"
#endif
#define FATHOM_JOIN2(a, b) a##b
#define FATHOM_JOIN(a, b) FATHOM_JOIN2(a, b)
#define Eigen FATHOM_JOIN(Eigen_, FATHOM_ISA)
#define EIGEN_DONT_PARALLELIZE
#define EIGEN_MPL2_ONLY

#include "reference/kernels.h"

#include <Eigen/Core>

#include <cmath>
#include <cstdint>

namespace fathom::reference::FATHOM_ISA {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::Array<double, Eigen::Dynamic, 1>;
using View = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;

/// Rows of a task's strip, and keys of one step over it: a strip of scores stays in the cache of
/// a core, and so do the tiles that one step multiplies.
inline constexpr Index key_step = 256;
inline constexpr Index query_step = 128;

inline double least(double a, double b) {
  return a < b ? a : b;
}
inline double most(double a, double b) {
  return a > b ? a : b;
}
inline double square(double x) {
  return x * x;
}
inline Index least(Index a, Index b) {
  return a < b ? a : b;
}
inline Index most(Index a, Index b) {
  return a > b ? a : b;
}

/// ulp of x on the grid, 0 at 0: the exponent bits of x are the power of two below it.
inline double ulp(const Grid& grid, double x) {
  const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, x) & 0x7ff0000000000000ULL;
  const double power = most(__builtin_bit_cast(double, bits), grid.smallest);
  return x != 0 ? grid.step * power : 0.0;
}

/// x rounded to the grid, ties to even.
inline double round_to_grid(const Grid& grid, double x) {
  const double step = ulp(grid, x);
  return step > 0 ? std::nearbyint(x / step) * step : x;
}

inline View view(const Rows& rows, Index begin, Index count) {
  return {rows.data + begin * rows.stride, count, rows.channels, Eigen::OuterStride<>(rows.stride)};
}

/// Smallest interval that holds every nonempty interval of visible[begin, end).
inline Interval hull(const Interval* visible, Index begin, Index end) {
  Interval all{0, 0};
  for (Index i = begin; i < end; ++i) {
    const Interval& row = visible[i];
    if (row.begin >= row.end) continue;
    const bool first = all.begin >= all.end;
    all = first ? row : Interval{least(all.begin, row.begin), most(all.end, row.end)};
  }
  return all;
}

/// Blocks of a kernel that walks n in steps of at most `block`: the rounding errors of a chained
/// sum grow with (block + blocks) / 3, those of its terms with block / 2.
struct Chain {
  double block = 0;
  double blocks = 0;
};
inline Chain chain(Index n, Index block) {
  const Index size = most(Index{1}, least(n, block));
  const Index count = (n + size - 1) / size;
  return {static_cast<double>(size), static_cast<double>(count)};
}

/// The model of dS and P of one pair, in the backward pass.
struct PairModel {
  Grid p, ds;
  double round_var;   ///< In ulp^2.
  double kappa;       ///< Of the score.
  double log_weight;  ///< d/3 + 4: a recomputed logit has an error that grows with it.
  double dot_var;     ///< 1/2 kappa dv, times sum dO^2 v^2.
};
inline PairModel pair_model(const ErrorModel& m, Index head_dim, Index value_dim) {
  return {m.grad_p,
          m.ds,
          m.grad_p_var,
          m.kappa_grad_score,
          static_cast<double>(head_dim) / 3 + 4,
          0.5 * m.kappa_grad_dot * static_cast<double>(value_dim)};
}

/// Variance of P (without its rounding, relative) that both passes share. `spread` is
/// d/2 scale^2 sum q^2 k^2; the stored log-sum-exp adds its own rounding.
inline double relative_var(const PairModel& m, double score, double spread, const RowState& row) {
  const double log_p = score - row.lse;
  return m.kappa * (m.log_weight * least(log_p * log_p, 1e4) + spread + 60) + row.lse_var;
}

inline double ds_var(const PairModel& m, double p, double ds, double relative, double dp_square) {
  return m.round_var * square(ulp(m.ds, ds)) + relative * ds * ds + p * p * m.dot_var * dp_square;
}

}  // namespace fathom::reference::FATHOM_ISA
