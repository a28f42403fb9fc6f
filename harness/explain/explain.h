// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/judge.h"
#include "harness/core/explanation.h"
#include "harness/core/observation.h"

namespace fathom {

/// What is probably wrong with an answer that `judge` failed, never a guess: where no hypothesis
/// explains nearly all of the error, or two do, it says so. Costs about as much as the oracle;
/// memory is that of the tensors in fp64. Throws Error if inputs are missing.
Explanation explain(const Observation& observation, const TensorSet& inputs,
                    const Judgement& judgement);

}  // namespace fathom
