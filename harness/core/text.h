// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Small text functions that parsers and printers of core values share.

namespace fathom {

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);

/// The whole text as a decimal integer or a finite number; empty if it is none, or overflows.
std::optional<Index> parse_index(std::string_view text);
std::optional<double> parse_double(std::string_view text);

/// Shortest text that reads back as the same double: `0.125`, `1e-05`, `inf`, `nan`.
std::string to_text(double value);

/// ` (did you mean 'x'?)` for the candidate nearest to `word`, or nothing if none is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace fathom
