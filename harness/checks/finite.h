// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"

#include <vector>

namespace fathom {

/// Essence: NaN and infinity only where the oracle has them, or where rounding the oracle's value
/// to the output's dtype overflows. The LSE of an empty row is the `lse` Check's business.
std::vector<Finding> check_finite(const Evidence& evidence);

}  // namespace fathom
