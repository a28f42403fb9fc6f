// SPDX-License-Identifier: Apache-2.0
#include "reports/support_matrix.h"

#include "reports/outcome_style.h"
#include "reports/summary.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace fathom {
namespace {

/// Position of `value` in `list`, where it is put if it is new.
template <typename T>
std::size_t index_in(std::vector<T>& list, const T& value) {
  const auto found = std::find(list.begin(), list.end(), value);
  if (found != list.end()) return static_cast<std::size_t>(found - list.begin());
  list.push_back(value);
  return list.size() - 1;
}

/// The refusal as a footnote: one per backend and reason code, with the first sentence seen.
int note_of(const Record& record, std::vector<std::string>& keys, std::vector<std::string>& notes) {
  const std::size_t at = index_in(keys, column_of(record) + '\n' + record.reason_code);
  if (at == notes.size()) {
    const std::string code = record.reason_code.empty() ? "" : " (" + record.reason_code + ")";
    notes.push_back(column_of(record) + code + ": " + record.reason);
  }
  return static_cast<int>(at) + 1;
}

void add(const Record& record, MatrixCell& cell) {
  const bool refused = record.verdict == Verdict::unsupported;
  cell.passed += record.verdict == Verdict::pass ? 1 : 0;
  cell.required += refused ? 0 : 1;
  ++cell.kinds[std::string(outcome_style(record).kind)];
  if (const auto margin = worst_margin_of(record)) {
    const bool is_worse =
        !cell.worst_margin || std::isnan(margin->share) || margin->share > *cell.worst_margin;
    if (is_worse) cell.worst_margin = margin->share;
  }
}

/// The row of a mask family and dtype; a family's dtypes stay together, widest first.
MatrixRow& row_of(const Record& record, SupportMatrix& matrix) {
  const Problem& problem = record.planned.c.problem;
  const std::string mask = family(problem.mask);
  const std::string dtype(to_string(problem.dtype));
  const auto found = std::find_if(matrix.rows.begin(), matrix.rows.end(), [&](const MatrixRow& r) {
    return r.mask == mask && r.dtype == dtype;
  });
  if (found != matrix.rows.end()) return *found;
  const auto same_mask = [&](const MatrixRow& r) { return r.mask == mask; };
  auto place = std::find_if(matrix.rows.begin(), matrix.rows.end(), same_mask);
  while (place != matrix.rows.end() && same_mask(*place) &&
         parse_dtype(place->dtype) < problem.dtype) {
    ++place;
  }
  return *matrix.rows.insert(place, MatrixRow{mask, dtype, {}});
}

}  // namespace

std::string kind_of(const MatrixCell& cell) {
  const OutcomeStyle* gravest = &outcome_style("pass");
  for (const auto& [kind, count] : cell.kinds) {
    const OutcomeStyle& style = outcome_style(kind);
    if (cell.required > 0 && kind == "unsupported") continue;
    if (style.gravity > gravest->gravity) gravest = &style;
  }
  const bool failed = gravest->family == "bad" || gravest->family == "broken";
  return failed && cell.passed > 0 ? "partial" : std::string(gravest->kind);
}

SupportMatrix support_matrix(const Report& report) {
  SupportMatrix matrix;
  std::vector<std::string> note_keys;
  for (const Record& record : report.records) {
    const std::size_t column = index_in(matrix.columns, column_of(record));
    MatrixRow& row = row_of(record, matrix);
    if (row.cells.size() <= column) row.cells.resize(column + 1);
    MatrixCell& cell = row.cells[column];
    add(record, cell);
    if (record.verdict == Verdict::unsupported) {
      index_in(cell.notes, note_of(record, note_keys, matrix.notes));
    }
  }
  for (MatrixRow& row : matrix.rows) row.cells.resize(matrix.columns.size());
  return matrix;
}

}  // namespace fathom
