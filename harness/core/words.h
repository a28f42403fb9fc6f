// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/dtype.h"
#include "harness/core/error.h"
#include "harness/core/text.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// How the field tables of Problem and Arithmetic spell and read their values.

namespace fathom {

/// Throws a DataError: the key, the value it has, and what it must be.
[[noreturn]] inline void bad_value(std::string_view key, std::string_view value,
                                   std::string_view want) {
  throw DataError(std::string(key) + " is '" + std::string(value) + "'; it must be " +
                  std::string(want));
}

/// An enumerator's word; `words` stand in the order of the enumerators.
template <typename Enum>
std::string word(Enum value, std::span<const std::string_view> words) {
  return std::string(words[static_cast<std::size_t>(value)]);
}

template <typename Enum>
Enum from_word(std::string_view key, std::string_view value,
               std::span<const std::string_view> words) {
  const auto at = std::find(words.begin(), words.end(), value);
  if (at != words.end()) return static_cast<Enum>(at - words.begin());
  const std::vector<std::string> list(words.begin(), words.end());
  bad_value(key, value, "one of " + join(list, ", "));
}

inline Dtype dtype_from_word(std::string_view key, std::string_view value) {
  const auto dtype = parse_dtype(value);
  if (!dtype) bad_value(key, value, "one of f64, f32, f16, bf16");
  return *dtype;
}

}  // namespace fathom
