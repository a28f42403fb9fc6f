// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"

#include <vector>

namespace fathom {

/// Essence: a kernel writes all of its outputs and nothing else. A damaged guard is a fact however
/// the output came back; unwritten elements are only known of outputs written in place (what is
/// missing from a copy shows as NaN, which `finite` finds).
std::vector<Finding> check_bounds(const Evidence& evidence);

}  // namespace fathom
