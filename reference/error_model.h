// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/problem.h"
#include "reference/kernels.h"

namespace fathom::reference {

Grid grid_of(Dtype dtype);

/// The error model of an honest kernel for this Problem that computes as declared. Rounding
/// errors are independent and uniform on one ulp (Higham and Mary's probabilistic model; Blanchard,
/// Higham and Higham, IMA J. Numer. Anal. 41(4), 2021, for log-sum-exp and softmax).
ErrorModel make_error_model(const Problem& problem, const Arithmetic& arithmetic);

}  // namespace fathom::reference
