// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/dtype.h"
#include "harness/core/types.h"

// How far an honest kernel may be from a sum of numbers that it knows exactly. Everything here
// follows from the declared Arithmetic; nothing is fitted to a backend.

namespace fathom::probing {

/// A weighted sum: its exact value, sum |w v|, sum (w v)^2 and its number of terms.
struct Sum {
  double value = 0;
  double absolute = 0;
  double square = 0;
  Index terms = 0;
};

/// What adding the terms in the declared accumulator may cost. fp32: 48 standard deviations of the
/// error model's accumulation term (blocks of `block`, then their results), which is the widest
/// limit of the budget, and 16 steps of the sum of magnitudes for adders that truncate. fp16 and
/// bf16: a step for every addition, all of one sign. tf32: an operand is rounded to 11 bits.
double summation_limit(Accumulator accumulator, int block, const Sum& sum);

/// Relative error of an unrounded softmax weight 1/n: the LSE is ln n within some fp32 steps (the
/// budget's T_L), and so is each weight that is made from it or from the LSE of a split.
double weight_limit(Dtype dtype, const Arithmetic& arithmetic, Index n);

/// Largest error of one rounding near x: half a step to nearest, a whole one toward zero. `slack`
/// is how far off x the number may be that gets rounded.
double rounding_limit(Dtype dtype, Rounding rounding, double x, double slack);

/// Largest relative error of one rounding to `dtype`.
double relative_rounding(Dtype dtype, Rounding rounding);

/// The steps of the P V product together, for weights that are exactly equal: accumulation, the
/// weights of splits, a rounded partial result.
double product_limit(Dtype dtype, const Arithmetic& arithmetic, const Sum& sum);

/// fp64 Problems have no error model: 1e-12 of the sum of magnitudes.
inline constexpr double fp64_share = 1e-12;

}  // namespace fathom::probing
