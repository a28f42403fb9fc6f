// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace fathom {

// Declared here, so that a header that names them stays light; defined by fields.h.
using Json = nlohmann::json;
/// Keeps the order of insertion: for files that people read.
using OrderedJson = nlohmann::ordered_json;

/// What parse_json accepts at most; anything larger is an attack or an accident.
inline constexpr std::size_t max_json_bytes = 64u << 20;
inline constexpr std::size_t max_json_depth = 32;
inline constexpr std::size_t max_json_nodes = 5'000'000;

/// Parses untrusted text. Refused: duplicate keys, NaN, infinities and numbers that overflow, the
/// integer -0 (its sign would be lost), depth beyond 32, bad UTF-8, lone surrogates, a byte order
/// mark, NUL bytes, comments, anything after the value. `what` names the source: the DataError
/// reads `what:line:column: sentence`.
Json parse_json(std::string_view text, std::string_view what);

/// The text in single quotes for a message: cut to 64 bytes, everything beyond printable ASCII
/// escaped, so that a hostile name stays a name.
std::string in_quotes(std::string_view text);

}  // namespace fathom
