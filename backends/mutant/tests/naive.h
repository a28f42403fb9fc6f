// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/mutant/tests/bench.h"

namespace fathom::mutant {

using Answer = std::map<TensorName, std::vector<double>>;

/// Attention from its definition: loops over (query, key) in double, a predicate of its own, and
/// nothing of the kernel. Tensors are indexed like the Problem's.
Answer naive_attention(const Bench& bench);

}  // namespace fathom::mutant
