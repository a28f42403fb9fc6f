// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

// What the oracle's hot code is given and gives back. The code behind row_pass and key_pass is
// compiled once per instruction set, so this header holds plain data only: an inline function
// here would be emitted by every build, and the linker would keep one of them for all.

namespace fathom::reference {

/// A number format: ulp(x) = step * max(2^floor(log2|x|), smallest), and 0 at 0.
struct Grid {
  double step = 0;
  double smallest = 0;
};

/// Keys begin <= key < end; empty if begin >= end.
struct Interval {
  Index begin = 0;
  Index end = 0;
};

/// Rows of one (sequence, head) in a decoded tensor.
struct Rows {
  const double* data = nullptr;
  Index stride = 0;
  Index rows = 0;
  Index channels = 0;
};

/// Where the answer to one (sequence, head) goes. Null where nothing is wanted.
struct Answer {
  double* value = nullptr;
  double* sigma = nullptr;
  double* bound = nullptr;
  double* mean = nullptr;
  Index stride = 0;
};

/// The constants of the error model, from the Problem's dtype and the declared Arithmetic.
/// kappa = 0.18 u^2 is the relative variance of one rounding to u, averaged over mantissas.
struct ErrorModel {
  bool sigma = true;         ///< Off in fp64: nothing but values is computed.
  bool p_truncates = false;  ///< RTZ: the mean error of O is computed as well.
  bool out_truncates = false;
  bool rounds_partials = false;  ///< Partial results of a split are narrower than fp32.
  bool tf32_values = false;      ///< V loses bits on its way into P V.
  bool hard_bound = false;       ///< A bound of every element of O is wanted.
  Grid p;                        ///< P for P V.
  Grid grad_p;                   ///< P for the products of the backward pass.
  Grid ds;
  Grid out;
  Grid partial;
  Grid lse;  ///< The stored log-sum-exp.
  Grid tf32;
  double grad_p_var = 0;  ///< Variance of a rounding in ulp^2: 1/12 to nearest, 1/3 by RTZ.
  double grad_out_var = 0;
  double kappa_score = 0;
  double kappa_sum = 0;  ///< Accumulation of P V.
  double kappa_grad_score = 0;
  double kappa_grad_dot = 0;  ///< dP = dO V^T.
  double kappa_grad_sum = 0;  ///< Accumulation of dQ, dK, dV.
  double kappa_grad_operand = 0;
  double kappa_delta = 0;  ///< The sum D = dO . O.
  double smallest_exp =
      0;  ///< Absolute error of an exponential: below it, it is flushed or clamped.
  bool delta_from_rounded = true;
  double bound_out = 0;        ///< Terms of the hard bound: of |O|,
  double bound_weights = 0;    ///< of sum p|v|,
  double bound_partial = 0;    ///< of max(|O|, rms of the row),
  double bound_subnormal = 0;  ///< of m sum |v| over the visible keys,
  double bound_constant = 0;   ///< and of nothing.
  double lse_score_unit = 0;
  double lse_exp_rel = 0;
  Index block_m = 64;
  Index block_n = 128;
};

/// What the backward pass needs to know of a query row.
struct RowState {
  double lse = 0;      ///< 0 in a fully masked row.
  double lse_var = 0;  ///< Variance of the log-sum-exp: its scores, and its rounding when stored.
  double delta = 0;    ///< D - dLSE.
  double delta_var = 0;
};

/// Query rows [begin, end) of one (sequence, query head): O, LSE, dQ.
struct RowTask {
  const ErrorModel* model = nullptr;
  double scale = 1;
  bool backward = false;
  Rows q, k, v, dout;
  Rows dlse;                          ///< data null if there is none.
  const Interval* visible = nullptr;  ///< By query of the sequence.
  Index begin = 0;
  Index end = 0;
  Answer o, lse, dq;
  RowState* states = nullptr;  ///< By query of the sequence.
};

/// One query head of the group that shares the keys of a KeyTask.
struct GroupHead {
  Rows q, dout;
  const RowState* states = nullptr;
};

/// Keys [begin, end) of one (sequence, KV head): dK, dV, summed over the group in its order.
struct KeyTask {
  const ErrorModel* model = nullptr;
  double scale = 1;
  Rows k, v;
  const GroupHead* heads = nullptr;
  Index head_count = 0;
  const Interval* visible = nullptr;
  Index query_count = 0;
  Index begin = 0;
  Index end = 0;
  Answer dk, dv;
};

/// Plain low-precision attention of one (sequence, query head), all fp32 and rounded to `grid`
/// after every step. dk and dv are the contribution of this head.
struct PlainTask {
  Grid grid;
  double largest = 0;      ///< Beyond it lies infinity.
  double query_scale = 1;  ///< Their product is the softmax scale; each product is rounded.
  double key_scale = 1;
  bool backward = false;
  Rows q, k, v, dout, dlse;
  const Interval* visible = nullptr;
  Answer o, dq, dk, dv;
};

/// One build of the hot code.
struct Kernels {
  const char* name;
  void (*row_pass)(const RowTask&);
  void (*key_pass)(const KeyTask&);
  void (*plain_pass)(const PlainTask&);
  /// c = a b, square row-major: the yardstick of the benchmark.
  void (*product)(const double* a, const double* b, double* c, Index n);
};

}  // namespace fathom::reference
