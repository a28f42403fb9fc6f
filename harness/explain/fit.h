// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/explanation.h"
#include "harness/explain/question.h"
#include "harness/explain/row_model.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// A guess at what went wrong, sharp enough to predict every row.
struct Candidate {
  Axis axis = Axis::unclear;
  std::string is;     ///< Ends the sentence "O ...": `is right for the mask full`.
  std::string cause;  ///< One sentence.
  /// Empty: this row would be as the oracle says.
  std::function<std::optional<Prediction>(RowModel&)> predict;
  double freedom_per_row = 0;  ///< Numbers that were fitted, for which a candidate pays.
};

/// One wrong tensor with what is needed to explain it.
struct Puzzle {
  const Question& question;
  const TensorErrors& errors;
  const TensorErrors* lse = nullptr;  ///< Beside O, if it was given.
  std::vector<const RowError*> rows;  ///< Wrong rows that candidates are tried on, spread evenly.
};

/// Wrong rows alone, or all rows of the box round them. Choosing the wrong ones favours large
/// errors, so that numbers fitted to them come out too large.
enum class Sampling : std::uint8_t { box, wrong };

/// Chooses the rows: as many as a few seconds allow.
Puzzle make_puzzle(const Question& question, const TensorErrors& errors, const TensorErrors* lse,
                   Sampling sampling);

/// Up to `count` of the rows, evenly spread.
std::vector<const RowError*> spread(const std::vector<const RowError*>& rows, std::size_t count);

/// How much of the error a candidate leaves.
struct Fit {
  double before = 0;   ///< Sum of z^2, the oracle being right.
  double after = 0;    ///< The same, the candidate being right.
  double nothing = 0;  ///< The same, zeros being right.
  double lse_before = 0;
  double lse_after = 0;  ///< Where a candidate says nothing of the LSE, it is right as it is.
  double elements = 0;
  double rows = 0;
  double freedom = 0;
  [[nodiscard]] double total() const { return after + lse_after + 3 * freedom; }
};

/// One Fit per candidate. Row after row, so that the terms of one row only are in memory.
std::vector<Fit> fits_of(const Puzzle& puzzle, const std::vector<Candidate>& candidates);

/// Whether what is left has the size of an honest error, and what was explained is no accident.
bool explains(const Puzzle& puzzle, const Fit& fit);

/// rms of z up to which the rows of a tensor look honest.
double honest_rms(const TensorErrors& errors);

/// The candidate that explains the puzzle, if there is one; the first of equals.
struct Choice {
  const Candidate* candidate = nullptr;
  const Candidate* equal = nullptr;  ///< Another one, of another axis, which fits as well.
  /// Would explain the tensor, but not the LSE beside it: enough to doubt any simple story.
  const Candidate* contradicted = nullptr;
};
Choice choose(const Puzzle& puzzle, const std::vector<Candidate>& candidates);

/// The candidates that a few of the rows do not rule out; the others need not meet all rows.
std::vector<Candidate> screened(const Puzzle& puzzle, const std::vector<Candidate>& candidates);

/// Whether the candidate would have changed rows that are right: then it is not at work everywhere.
bool spares_rows(const Puzzle& puzzle, const Candidate& candidate);

}  // namespace fathom
