// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// A plain-text table with columns as wide as their widest cell. The last column is broken at
/// blanks where a line would grow longer than `width`; cells are made visible (escape.h) as they
/// come in.
class TextTable {
 public:
  enum class Align { left, right };
  struct Column {
    std::string_view head;
    Align align = Align::left;
    std::size_t most = 60;  ///< Longest cell; what is longer is cut with an ellipsis.
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(const std::vector<std::string>& cells);
  [[nodiscard]] std::string text(std::string_view indent, std::size_t width = 100) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Text broken at blanks into lines of at most `width` columns, each begun with the indent and
/// ended with a line break; a word that is longer stands alone.
std::string wrapped(std::string_view text, std::string_view indent, std::size_t width = 100);

}  // namespace fathom
