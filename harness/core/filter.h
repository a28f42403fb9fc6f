// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/record.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// What a query can ask of one row: text fields may have several values (feature, tag); numbers
/// are in base units (seconds, bytes). A field the row does not have yields nothing.
struct FilterRow {
  std::function<std::vector<std::string>(std::string_view field)> texts;
  std::function<std::optional<double>(std::string_view field)> number;
  std::string all_text;  ///< What "text" and /glob*/ search.
};

/// One query of the grammar that --filter, Expectations and the HTML page share:
///   query := term { [and] term } | query or query | not term | ( query )
///   term  := field:value | field<op>number | backend:verdict | "text" | /glob*/ | word
///   op    := = != < <= > >=        value := glob | a,b,c | !x
/// Numbers take units (2ms, 1GiB). The row's text contains "text" literally, `word` and /glob*/ as
/// globs. Parentheses inside a word are part of it, mask:window(128,0); quotes keep blanks and
/// parentheses in a value, suite:"my suite". At most 64 levels of parentheses.
class Filter {
 public:
  Filter();  ///< Matches everything.
  /// Throws UsageError with one sentence that quotes the offending place.
  static Filter parse(std::string_view query);
  [[nodiscard]] bool matches(const FilterRow& row) const;
  [[nodiscard]] const std::string& text() const { return text_; }

  struct Node;

 private:
  std::shared_ptr<const Node> root_;
  std::string text_;
};

/// The fields of the grammar, with a sentence each (for --help and for "did you mean").
struct FilterField {
  std::string_view name;
  std::string_view meaning;
  bool text;    ///< Has texts, which globs match.
  bool number;  ///< Has a number, which < and > compare.
};
const std::vector<FilterField>& filter_fields();

/// Rows for a planned case (no verdict yet) and for a Record.
FilterRow filter_row(const PlannedCase& planned);
FilterRow filter_row(const Record& record);

/// `*` and `?` as in a shell; nothing else is special.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace fathom
