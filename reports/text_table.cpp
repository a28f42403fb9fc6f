// SPDX-License-Identifier: Apache-2.0
#include "reports/text_table.h"

#include "harness/core/text.h"
#include "reports/escape.h"

#include <algorithm>
#include <cassert>

namespace fathom {
namespace {

std::string padded(const std::string& text, std::size_t width, TextTable::Align align) {
  const std::size_t used = display_width(text);
  const std::string blanks(width > used ? width - used : 0, ' ');
  return align == TextTable::Align::left ? text + blanks : blanks + text;
}

}  // namespace

void TextTable::add(const std::vector<std::string>& cells) {
  assert(cells.size() == columns_.size());
  auto& row = rows_.emplace_back();
  for (std::size_t c = 0; c < cells.size(); ++c) {
    row.push_back(shortened(visible_text(cells[c]), columns_[c].most));
  }
}

std::string TextTable::text(std::string_view indent, std::size_t width) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t most = display_width(columns_[c].head);
    for (const auto& row : rows_) most = std::max(most, display_width(row[c]));
    widths.push_back(most);
  }
  const std::size_t last = columns_.size() - 1;
  const auto line = [&](const auto& cell_of) {
    std::string out(indent);
    for (std::size_t c = 0; c < last; ++c)
      out += padded(cell_of(c), widths[c], columns_[c].align) + "  ";
    if (columns_[last].align == Align::right)
      return out + padded(cell_of(last), widths[last], Align::right) + "\n";
    const std::string margin(display_width(out), ' ');
    const std::string text = wrapped(cell_of(last), margin, std::max(width, margin.size() + 24));
    if (text.empty()) return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
    return out + text.substr(margin.size());
  };
  const bool headed = std::any_of(columns_.begin(), columns_.end(),
                                  [](const Column& column) { return !column.head.empty(); });
  std::string out;
  if (headed) out += line([&](std::size_t c) { return std::string(columns_[c].head); });
  for (const auto& row : rows_) out += line([&](std::size_t c) { return row[c]; });
  return out;
}

std::string wrapped(std::string_view text, std::string_view indent, std::size_t width) {
  std::string out;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += std::string(indent) + line + "\n";
    line.clear();
  };
  for (const std::string_view word : split(text, ' ')) {
    const bool fits =
        display_width(indent) + display_width(line) + 1 + display_width(word) <= width;
    if (!line.empty() && !fits) flush();
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  flush();
  return out;
}

}  // namespace fathom
