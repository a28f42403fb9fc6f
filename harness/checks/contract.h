// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"

#include <vector>

namespace fathom {

/// Essence: inputs are read-only, and O, the gradients asked for and a required LSE are given. A
/// wanted LSE may be missing.
std::vector<Finding> check_contract(const Evidence& evidence);

}  // namespace fathom
