// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/mutant/kernel_forward.h"
#include "backends/mutant/seams.h"

namespace fathom::mutant {

/// Gradients as FlashAttention-2 computes them: P again from the stored LSE, delta from the rounded
/// O that the forward pass wrote, tiles of keys outside and tiles of queries inside. P and dS are
/// rounded to storage before their products; dQ is summed in an fp32 workspace over the tiles of
/// keys, dK and dV in fp32 over the query heads of their group; each is rounded once.
void backward(const Call& call, const StoredLse& stored);

}  // namespace fathom::mutant
