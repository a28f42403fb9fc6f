// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"

#include <vector>

namespace fathom {

/// Essence: rows of O and dQ whose query sees no key, and rows of dK and dV whose key nobody sees,
/// are exactly 0 in every dtype; no tolerance. Which rows these are comes from the mask predicate,
/// not from the oracle.
std::vector<Finding> check_exact_zeros(const Evidence& evidence);

}  // namespace fathom
