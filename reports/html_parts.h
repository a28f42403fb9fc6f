// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reports/html_builder.h"

#include <string>
#include <string_view>
#include <vector>

// Small parts that several sections of the page share.

namespace fathom {

/// The glyph of an outcome kind from the page's sprite; the word beside it is for everybody who
/// cannot see it, and is shown only where `with_word` is true.
void add_glyph(HtmlBuilder& html, std::string_view kind, std::string_view word, bool with_word);

/// A bar of `value` out of 1 as inline SVG; beyond 1 it is full and marked `over`.
void add_bar(HtmlBuilder& html, double value, std::string_view label);

/// The head of a column; numbers stand on the right.
struct TableHead {
  std::string_view text;
  bool number = false;
};

/// The head of a table with its caption and column heads.
void open_table(HtmlBuilder& html, std::string_view caption, const std::vector<TableHead>& heads);
void close_table(HtmlBuilder& html);

/// A link, if the address is one that a report should offer (http or https); else its text.
void add_link(HtmlBuilder& html, std::string_view address);

/// `#/cases?q=<query>` and `#/case/<id>`: addresses inside the page.
std::string query_address(std::string_view query);
std::string case_address(std::string_view id);

/// A value of the query grammar, in quotes where it needs them.
std::string query_value(std::string_view value);

}  // namespace fathom
