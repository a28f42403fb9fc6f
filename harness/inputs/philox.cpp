// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/philox.h"

#include <Random123/philox.h>

#include <algorithm>

namespace fathom {
namespace {

// Stream numbers are part of the inputs' definition: TensorName may grow at its end only.
static_assert(static_cast<int>(TensorName::q) == 0 && static_cast<int>(TensorName::dlse) == 4);
constexpr std::uint64_t choice_stream = 1024;

/// The finaliser of splitmix64: a bijection in which every input bit moves half of the output bits.
constexpr std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

/// Mixed twice, so that no two (seed, stream) of small numbers can meet by addition.
constexpr std::uint64_t key_of(std::uint64_t seed, std::uint64_t stream) {
  return mix(mix(seed + 0x9E3779B97F4A7C15U) + 0x9E3779B97F4A7C15U * (stream + 1));
}

constexpr std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
constexpr std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter) {
  const philox4x32_ctr_t block{{low(counter), high(counter), 0, 0}};
  const philox4x32_key_t words_of_key{{low(key), high(key)}};
  const philox4x32_ctr_t words = philox4x32(block, words_of_key);
  return {words.v[0], words.v[1], words.v[2], words.v[3]};
}

void philox_words(std::uint64_t key, std::uint64_t first, std::span<std::uint32_t> words) {
  std::size_t done = 0;
  while (done < words.size()) {
    const std::uint64_t word = first + done;
    const auto block = philox(key, word / 4);
    const std::size_t skip = word % 4;
    const std::size_t count = std::min(4 - skip, words.size() - done);
    std::copy_n(block.begin() + skip, count, words.begin() + static_cast<std::ptrdiff_t>(done));
    done += count;
  }
}

std::uint64_t stream_key(std::uint64_t seed, TensorName tensor) {
  return key_of(seed, static_cast<std::uint64_t>(tensor));
}

std::uint64_t choice_key(std::uint64_t seed) {
  return key_of(seed, choice_stream);
}

}  // namespace fathom
