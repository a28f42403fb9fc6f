// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"

namespace fathom::fa3 {

/// How FlashAttention-3 says that it computes: P and dS rounded to the tensors' dtype, fp32
/// accumulation, exponentials to base 2, O rounded once; tiles of head dim 128 without a mask. The
/// LSE of a row that sees no key is -infinity.
Arithmetic declared_arithmetic(Dtype dtype);

}  // namespace fathom::fa3
