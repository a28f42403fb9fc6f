// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// A word of a filter query, or a parenthesis that groups.
struct FilterToken {
  std::string text;
  bool quoted = false;  ///< Began with a quote: taken literally, never a keyword or a field.
};

/// Cuts a query at blanks and grouping parentheses. Parentheses that open inside a word belong to
/// it with all they enclose, so `mask:window(128, 0)&causal(top_left)` is one word. Quotes keep
/// blanks and parentheses in a word. Throws UsageError for a quote or parenthesis left open.
std::vector<FilterToken> filter_tokens(std::string_view query);

/// The sentence of a UsageError about a query.
[[noreturn]] void bad_filter(std::string_view query, const std::string& what);

}  // namespace fathom
