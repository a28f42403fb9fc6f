// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/mask.h"
#include "harness/core/problem.h"

namespace fathom::sdpa {

/// Whether the query sees the key (both local to the sequence): this backend's own reading of the
/// mask terms, one question per pair, written apart from the judge's.
bool attends(const Mask& mask, const Sequence& sequence, Index query, Index key);

}  // namespace fathom::sdpa
