// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/tensor.h"

#include <array>
#include <cstdint>
#include <span>

namespace fathom {

/// Philox4x32-10 (Salmon et al., SC'11): four 32-bit words for one counter block. The key is a
/// 64-bit mix of the seed and a stream number, so that any element alone can be made again.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter);

/// Words first, first + 1, ... of a stream; word i is philox(key, i / 4)[i % 4].
void philox_words(std::uint64_t key, std::uint64_t first, std::span<std::uint32_t> words);

/// Key of one tensor's stream.
std::uint64_t stream_key(std::uint64_t seed, TensorName tensor);

/// Key of the stream of random choices (which keys repeat, which are on the upper level).
std::uint64_t choice_key(std::uint64_t seed);

}  // namespace fathom
