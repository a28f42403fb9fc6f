// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/explanation.h"
#include "harness/core/observation.h"

#include <vector>

namespace fathom {

/// Where the errors are: per given tensor a map of row tiles by heads, and for O a map of query
/// tiles by key tiles, where each error is dealt out to the keys that could have caused it.
std::vector<HeatMap> heat_maps(const Observation& observation, const TensorSet& inputs);

}  // namespace fathom
