// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/dtype.h"
#include "harness/core/types.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fathom {

/// Bytes of guard before and after every shared tensor.
inline constexpr Index guard_bytes = Index{32} * 1024;

/// Paints a guard with a fixed pseudo-random pattern.
void paint_guard(std::span<std::byte> guard);

/// What lies in memory right before and behind the inputs of an execution.
enum class Surroundings : std::uint8_t {
  pattern,  ///< The guards' fixed pseudo-random bytes.
  zeros,
  nan,  ///< Quiet NaN in the dtype of the input.
};
void paint_surroundings(Surroundings surroundings, Dtype dtype, std::span<std::byte> guard);

/// Offset of the first changed byte of a guard, or -1 if it is intact.
Index find_damage(std::span<const std::byte> guard);

/// Fills an output with a NaN of a payload that no computation yields, so that an element nobody
/// wrote is told from a computed NaN.
void paint_poison(Dtype dtype, std::span<std::byte> bytes);

/// Indices of the elements that still hold the poison.
std::vector<Index> find_unwritten(Dtype dtype, std::span<const std::byte> bytes);

}  // namespace fathom
