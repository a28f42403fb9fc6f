// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/worker/tests/bench.h"

namespace fathom::worker {

using Answer = std::map<TensorName, std::vector<double>>;

/// Attention from its definition: loops over (query, key) in double, a predicate of its own, and
/// nothing of any kernel. Tensors are indexed like the Problem's.
Answer naive_attention(const Bench& bench);

/// Problems to compare with it, but for direction and dtype: every mask, over dense sequences with
/// more keys, dense ones with more queries, and packed ones of every kind.
std::vector<std::string> every_mask_and_shape();

}  // namespace fathom::worker
