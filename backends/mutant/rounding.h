// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/dtype.h"

#include <cstddef>

namespace fathom::mutant {

// The kernel computes in fp32; everything narrower is fp32 numbers that a narrow dtype can hold.
// All loops are integer arithmetic without branches, which compilers turn into vectors. f64 is not
// served.

/// Rounds `count` numbers to the dtype, ties to even (rne) or towards zero (rtz).
void round_numbers(Dtype dtype, float* numbers, Index count, Rounding rounding = Rounding::rne);

/// Cuts the significand to 10 bits, as tensor cores do with fp32 operands in TF32 mode.
void round_to_tf32(float* numbers, Index count);

/// Storage to numbers.
void load_numbers(Dtype dtype, const std::byte* from, Index count, float* to);

/// Rounds `numbers` in place, then writes them to storage.
void store_numbers(Dtype dtype, float* numbers, Index count, std::byte* to, Rounding rounding);

}  // namespace fathom::mutant
