// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// What became of the cases of one mask family and dtype on one backend.
struct MatrixCell {
  Index passed = 0;
  Index required = 0;                  ///< Every case that was not refused.
  std::map<std::string, Index> kinds;  ///< Outcome kinds (outcome_style.h) and their counts.
  std::optional<double> worst_margin;  ///< Largest share of a limit, over compared cases.
  std::vector<int> notes;              ///< Footnotes, from 1: why cases were refused.
  [[nodiscard]] bool empty() const { return kinds.empty(); }
};

/// The kind that stands for a cell: `partial` if some required cases pass and some do not, else
/// the gravest kind in it.
std::string kind_of(const MatrixCell& cell);

struct MatrixRow {
  std::string mask;  ///< Family, `causal&window`.
  std::string dtype;
  std::vector<MatrixCell> cells;  ///< One per column.
};

/// Mask families and dtypes against backends: what works where.
struct SupportMatrix {
  std::vector<std::string> columns;  ///< Backends with their lowering, in order of appearance.
  std::vector<MatrixRow> rows;     ///< Families in order of appearance, their dtypes widest first.
  std::vector<std::string> notes;  ///< Note n is notes[n - 1]: the backend's own sentence.
};

SupportMatrix support_matrix(const Report& report);

}  // namespace fathom
