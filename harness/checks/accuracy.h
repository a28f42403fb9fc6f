// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"

#include <string_view>
#include <vector>

namespace fathom {

/// One statistic of a tensor against its limit.
struct Margin {
  std::string_view test;  ///< hard_bound, row_rho, z_max, tensor_rho, bias_z, gain or rel_f.
  double value = 0;
  double limit = 0;
  Index element = -1;  ///< Where it was seen; -1 for tensor-wide tests.
};

/// The tests that apply to O, dQ, dK or dV here, gravest first.
std::vector<Margin> accuracy_margins(const Evidence& evidence, const Comparison& comparison);

/// Essence: the error of an honest kernel is random with a standard deviation that the oracle
/// derives for each element from the declared arithmetic. T1: no element of a 16-bit O (P rounded
/// to 16 bits too) leaves a deterministic bound. T2: no row and no element is improbable (one lost
/// key, one wrong row). T3: the tensor's rms is what rounding gives (narrow accumulators), and
/// errors lean no way (truncation). T4: they share no factor (a wrong scale). fp64: one relative
/// Frobenius error.
std::vector<Finding> check_accuracy(const Evidence& evidence);

}  // namespace fathom
