// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

namespace fathom {

/// P(X > x) of a chi-square variable with `degrees` degrees of freedom, x >= 0. Exact up to
/// rounding: for whole degrees the regularised upper gamma function is a finite sum (Abramowitz and
/// Stegun 26.4.4 and 26.4.5).
double chi_square_tail(Index degrees, double x);

/// The x with P(X > x) = tail, 0 < tail < 1; relative error below 1e-9.
double chi_square_upper_quantile(Index degrees, double tail);

}  // namespace fathom
