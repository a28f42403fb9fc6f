// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/observation.h"
#include "harness/core/tensor.h"
#include "harness/probes/numbers.h"

#include <vector>

// The two questions of the `sums` Probe whose every term is known.

namespace fathom::probing {

/// K random in the first half of the channels and 0 in the others, Q the other way round: s = 0.
/// dO on a grid of 2^-7 below 2, so that its sums are exact in fp32 and need more bits than bf16
/// has. V_jc = sigma_j tau_c, signs; sigma changes within each pair of keys, which holds D near 0.
void write_signs(const Problem& problem, TensorSet& inputs);

/// The same with V = 1 and no dLSE: dP = D.
void write_ones(const Problem& problem, TensorSet& inputs);

/// The sum over keys of `dq`, right to the last rounding for some way to round the two dS of a row.
Tally compare_exact_dq(const Observation& observation, const TensorSet& inputs);
/// The sums over queries, right for one way to round dS or P in the whole tensor.
Tally compare_exact_dk(const Observation& observation, const TensorSet& inputs);
Tally compare_exact_dv(const Observation& observation, const TensorSet& inputs);

/// dQ and dK of the question with V = 1, which vanish.
Tally compare_vanishing_dq(const Observation& observation, const TensorSet& inputs);
Tally compare_vanishing_dk(const Observation& observation, const TensorSet& inputs);

}  // namespace fathom::probing
