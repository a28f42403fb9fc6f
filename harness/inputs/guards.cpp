// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/guards.h"

#include "harness/inputs/philox.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace fathom {
namespace {

constexpr std::uint64_t guard_key = 0xFA7408A16D5EED01U;

const std::vector<std::byte>& guard_pattern() {
  static const std::vector<std::byte> pattern = [] {
    std::vector<std::uint32_t> words(guard_bytes / sizeof(std::uint32_t));
    philox_words(guard_key, 0, words);
    std::vector<std::byte> bytes(guard_bytes);
    std::memcpy(bytes.data(), words.data(), bytes.size());
    return bytes;
  }();
  return pattern;
}

/// A signalling NaN: it can be copied, but no arithmetic operation of IEEE 754 ever returns one,
/// not even by passing on the payload of an operand.
constexpr std::uint64_t poison_of(Dtype dtype) {
  constexpr std::array<std::uint64_t, 4> bits{0x7FF5A5C3E1D2B496U, 0x7FABCDEFU, 0x7D5BU, 0x7FABU};
  return bits[static_cast<std::size_t>(dtype)];
}

template <typename Word>
void paint(std::span<std::byte> bytes, std::uint64_t pattern) {
  const auto word = static_cast<Word>(pattern);
  for (std::size_t at = 0; at + sizeof(Word) <= bytes.size(); at += sizeof(Word)) {
    std::memcpy(bytes.data() + at, &word, sizeof(Word));
  }
}

void paint_words(Dtype dtype, std::uint64_t word, std::span<std::byte> bytes) {
  switch (info(dtype).size) {
    case 2: return paint<std::uint16_t>(bytes, word);
    case 4: return paint<std::uint32_t>(bytes, word);
    default: return paint<std::uint64_t>(bytes, word);
  }
}

template <typename Word>
std::vector<Index> find(std::span<const std::byte> bytes, std::uint64_t poison) {
  std::vector<Index> found;
  for (std::size_t at = 0; at + sizeof(Word) <= bytes.size(); at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + at, sizeof(Word));
    if (word == poison) found.push_back(static_cast<Index>(at / sizeof(Word)));
  }
  return found;
}

}  // namespace

void paint_guard(std::span<std::byte> guard) {
  const auto& pattern = guard_pattern();
  for (std::size_t at = 0; at < guard.size(); at += pattern.size()) {
    std::memcpy(guard.data() + at, pattern.data(), std::min(pattern.size(), guard.size() - at));
  }
}

void paint_surroundings(Surroundings surroundings, Dtype dtype, std::span<std::byte> guard) {
  constexpr std::array<std::uint64_t, 4> quiet{0x7FF8000000000000U, 0x7FC00000U, 0x7E00U, 0x7FC0U};
  const std::uint64_t nan = quiet[static_cast<std::size_t>(dtype)];
  switch (surroundings) {
    case Surroundings::pattern: return paint_guard(guard);
    case Surroundings::zeros: return std::fill(guard.begin(), guard.end(), std::byte{0});
    case Surroundings::nan: return paint_words(dtype, nan, guard);
  }
}

Index find_damage(std::span<const std::byte> guard) {
  const auto& pattern = guard_pattern();
  for (std::size_t at = 0; at < guard.size(); at += pattern.size()) {
    const auto part = guard.subspan(at, std::min(pattern.size(), guard.size() - at));
    if (std::memcmp(part.data(), pattern.data(), part.size()) == 0) continue;
    const auto first = std::mismatch(part.begin(), part.end(), pattern.begin()).first;
    return static_cast<Index>(at) + (first - part.begin());
  }
  return -1;
}

void paint_poison(Dtype dtype, std::span<std::byte> bytes) {
  paint_words(dtype, poison_of(dtype), bytes);
}

std::vector<Index> find_unwritten(Dtype dtype, std::span<const std::byte> bytes) {
  switch (info(dtype).size) {
    case 2: return find<std::uint16_t>(bytes, poison_of(dtype));
    case 4: return find<std::uint32_t>(bytes, poison_of(dtype));
    default: return find<std::uint64_t>(bytes, poison_of(dtype));
  }
}

}  // namespace fathom
