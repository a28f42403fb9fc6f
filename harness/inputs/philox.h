// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/tensor.h"

#include <array>
#include <cstdint>

namespace fathom {

/// Philox4x32-10 (Salmon et al., SC'11): four 32-bit words for one counter block. The key is a
/// 64-bit mix of the seed and a stream number, so that any element alone can be made again.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter);

/// Key of one tensor's stream.
std::uint64_t stream_key(std::uint64_t seed, TensorName tensor);

}  // namespace fathom
