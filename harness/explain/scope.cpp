// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

namespace fathom {
namespace {

Index rows_of(const Problem& problem, TensorName name, Index sequence) {
  const Sequence& lengths = problem.sequences[static_cast<std::size_t>(sequence)];
  return has_key_rows(name) ? lengths.key_length : lengths.query_length;
}

std::string plural(std::string_view word, const std::vector<Index>& values) {
  return fmt::format("{}{} {}", word, values.size() == 1 ? "" : "s", list_text(values));
}

}  // namespace

Scope scope_of(const Problem& problem, const TensorErrors& errors, const RowTest& in_set,
               const RowTest& eligible) {
  std::set<Index> sequences;
  std::set<Index> heads;
  std::set<Index> all_sequences;
  Scope scope;
  scope.first_row = std::numeric_limits<Index>::max();
  scope.last_row = -1;
  Index count = 0;
  for (const RowError& row : errors.rows) {
    if (eligible(row)) all_sequences.insert(row.sequence);
    if (!in_set(row)) continue;
    ++count;
    sequences.insert(row.sequence);
    heads.insert(row.head);
    scope.first_row = std::min(scope.first_row, row.row);
    scope.last_row = std::max(scope.last_row, row.row);
  }
  Index inside = 0;
  Index outside_rows = 0;  // Eligible rows of the same sequences before or after the interval.
  for (const RowError& row : errors.rows) {
    if (!eligible(row) || !sequences.contains(row.sequence) || !heads.contains(row.head)) continue;
    const bool in_rows = scope.first_row <= row.row && row.row <= scope.last_row;
    (in_rows ? inside : outside_rows) += 1;
  }
  scope.sequences.assign(sequences.begin(), sequences.end());
  scope.heads.assign(heads.begin(), heads.end());
  scope.all_sequences = sequences.size() >= all_sequences.size();
  scope.all_heads = static_cast<Index>(heads.size()) == head_count(problem, errors.name);
  scope.all_rows = outside_rows == 0;
  scope.filled = inside == 0 ? 0 : static_cast<double>(count) / static_cast<double>(inside);
  if (sequences.size() == 1) {
    scope.last_row =
        std::min(scope.last_row, rows_of(problem, errors.name, *sequences.begin()) - 1);
  }
  return scope;
}

std::string list_text(const std::vector<Index>& values) {
  if (values.empty()) return "none";
  const bool run = values.back() - values.front() + 1 == static_cast<Index>(values.size());
  if (values.size() > 2 && run) return fmt::format("{}-{}", values.front(), values.back());
  constexpr std::size_t shown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, values.size()); ++i) {
    const bool last = i + 1 == values.size();
    text += fmt::format("{}{}", i == 0 ? "" : last ? " and " : ", ", values[i]);
  }
  return values.size() > shown ? fmt::format("{} and {} more", text, values.size() - shown) : text;
}

std::string to_text(const Scope& scope, TensorName name) {
  std::string text;
  if (!scope.all_rows) {
    const std::string_view word = has_key_rows(name) ? "key row" : "query row";
    text = scope.first_row == scope.last_row
               ? fmt::format("{} {}", word, scope.first_row)
               : fmt::format("{}s {}-{}", word, scope.first_row, scope.last_row);
  }
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " of ") + part; };
  if (!scope.all_heads) add(plural(has_key_rows(name) ? "KV head" : "head", scope.heads));
  if (!scope.all_sequences) add(plural("sequence", scope.sequences));
  return text;
}

bool is_tiled(Index first, Index last, Index rows) {
  constexpr Index tile = 16;
  const bool ends = (last + 1) % tile == 0 || last + 1 == rows;
  return first % tile == 0 && ends && last + 1 - first >= tile && last + 1 - first < rows;
}

}  // namespace fathom
