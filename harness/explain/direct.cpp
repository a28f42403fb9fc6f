// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/direct.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

namespace fathom {
namespace {

Prediction scaled(const RowModel& model, double factor) {
  Prediction prediction = model.unchanged();
  for (double& value : prediction.value) value *= factor;
  prediction.lse.reset();
  for (Index c = 0; c < model.errors().channels; ++c) {
    prediction.sigma.push_back(std::abs(factor) * model.errors().sigma_at(model.place().first + c));
  }
  return prediction;
}

std::string factor_text(double factor) {
  const double percent = 100 * (factor - 1);
  if (std::abs(percent) >= 30) return fmt::format("{:.4g} times what it should be", factor);
  return fmt::format("{:.3g} % too {}", std::abs(percent), percent > 0 ? "large" : "small");
}

/// What a factor of a gradient may be, if it is a number that one knows.
std::string factor_cause(const Puzzle& puzzle, double factor) {
  const double scale = softmax_scale(puzzle.question.problem());
  const auto near = [&](double known) { return std::abs(factor / known - 1) < 0.002; };
  const bool of_scores =
      puzzle.errors.name == TensorName::dq || puzzle.errors.name == TensorName::dk;
  if (of_scores && near(1 / scale)) return "the softmax scale is left out of the gradient";
  if (of_scores && near(scale)) return "the softmax scale is applied twice";
  if (near(std::log(2.0)) || near(1 / std::log(2.0))) {
    return "a factor ln 2 between natural and binary exponentials";
  }
  const auto group = static_cast<double>(puzzle.question.group());
  if (group > 1 && (near(group) || near(1 / group))) return "the group of query heads is counted";
  return "a wrong constant in the last multiplication, or a sum normalised by the wrong number";
}

/// O divided by the sum of the softmax that the LSE holds: then O times that sum is right, and both
/// are wrong by one number. Nothing of it is fitted to O.
void add_wrong_sum(const Puzzle& puzzle, std::vector<Candidate>& candidates) {
  if (puzzle.lse == nullptr) return;
  const auto predict = [lse = puzzle.lse](const RowModel& model) -> std::optional<Prediction> {
    const RowError& row = model.place();
    if (!row.live) return std::nullopt;
    const auto at = static_cast<std::size_t>(&row - model.errors().rows.data());
    const Index element = lse->rows[at].first;
    Prediction prediction = scaled(model, std::exp(lse->want(element) - lse->got(element)));
    prediction.lse = lse->got(element);
    return prediction;
  };
  double gained = 0;
  for (const RowError* row : puzzle.rows) {
    const RowModel model(puzzle.question, puzzle.errors, *row);
    const auto prediction = predict(model);
    if (!prediction) continue;
    gained +=
        row->energy - energy_against(puzzle.errors, *row, prediction->value, prediction->sigma);
  }
  // The LSE alone agrees with itself, whatever it holds: O has to need the change as well.
  if (!(gained >= 40)) return;
  const bool o_is_wrong = std::any_of(puzzle.errors.rows.begin(), puzzle.errors.rows.end(),
                                      [](const RowError& row) { return row.bad; });
  candidates.push_back({Axis::factor,
                        o_is_wrong ? "is divided in each row by the wrong sum that the LSE holds"
                                   : "holds a wrong sum in each row, by which O is divided, too",
                        "the sum of the softmax is wrong: a part that is counted in it or lost, or "
                        "a rescaling left out",
                        predict, 1});
}

void add_factors(const Puzzle& puzzle, std::vector<Candidate>& candidates) {
  const double factor = 1 + common_gain(puzzle.errors, puzzle.rows);
  candidates.push_back({Axis::factor, "is " + factor_text(factor), factor_cause(puzzle, factor),
                        [factor](RowModel& model) { return scaled(model, factor); }});
  if (puzzle.errors.channels < 4 || puzzle.rows.size() < 4) return;
  candidates.push_back(
      {Axis::factor, "is off by a factor that differs from row to row",
       puzzle.errors.name == TensorName::o
           ? "the sum of the softmax is wrong: a part that is counted in it or lost, or a "
             "rescaling left out"
           : "a wrong factor of each row, as from an LSE read in a narrower format",
       [](RowModel& model) {
         return scaled(model, 1 + common_gain(model.errors(), {&model.place()}));
       },
       1});
}

using Step = std::array<Index, 3>;  ///< To another sequence, head and row.

std::vector<double> sigma_of(const TensorErrors& errors, const RowError& row) {
  std::vector<double> sigma;
  for (Index c = 0; c < errors.channels; ++c) sigma.push_back(errors.sigma_at(row.first + c));
  return sigma;
}

const RowError* row_at(const TensorErrors& errors, const RowError& from, const Step& step) {
  // Rows are ordered by (sequence, head, row): the wanted one is found by bisection.
  const std::array<Index, 3> key{from.sequence + step[0], from.head + step[1], from.row + step[2]};
  const auto less = [](const RowError& row, const std::array<Index, 3>& wanted) {
    return std::array<Index, 3>{row.sequence, row.head, row.row} < wanted;
  };
  const auto at = std::lower_bound(errors.rows.begin(), errors.rows.end(), key, less);
  if (at == errors.rows.end() || at->sequence != key[0] || at->head != key[1] ||
      at->row != key[2]) {
    return nullptr;
  }
  return &*at;
}

std::vector<double> wanted(const TensorErrors& errors, const RowError& row) {
  std::vector<double> values;
  for (Index c = 0; c < errors.channels; ++c) values.push_back(errors.want(row.first + c));
  return values;
}

/// Which right row stands in the place of a wrong one, as a step from it; empty if none does.
std::optional<Step> step_to_match(const TensorErrors& errors, const RowError& row) {
  const double honest = honest_rms(errors);
  const double limit = 1.5 * honest * honest * static_cast<double>(errors.channels);
  for (const RowError& other : errors.rows) {
    const bool aligned =
        other.row == row.row || (other.sequence == row.sequence && other.head == row.head);
    if (!aligned || !other.live || &other == &row) continue;
    // One channel decides against nearly all of them.
    const double first = errors.got(row.first) - errors.want(other.first);
    const double sigma = errors.sigma_at(row.first) + errors.sigma_at(other.first);
    if (std::abs(first) > 8 * honest * sigma + 0.02 * std::abs(errors.want(other.first))) continue;
    if (energy_against(errors, row, wanted(errors, other), sigma_of(errors, other)) > limit)
      continue;
    return Step{other.sequence - row.sequence, other.head - row.head, other.row - row.row};
  }
  return std::nullopt;
}

std::string step_text(const Step& step) {
  const auto signed_text = [](Index n, std::string_view what) {
    return fmt::format("{} {}{} {}", std::abs(n), what, std::abs(n) == 1 ? "" : "s",
                       n > 0 ? "later" : "earlier");
  };
  if (step[0] != 0) return "holds the rows of the sequence " + signed_text(step[0], "place");
  if (step[1] != 0) return "holds the rows of the head " + signed_text(step[1], "place");
  return "holds in each wrong row what belongs " + signed_text(step[2], "row");
}

/// Wrong rows in which right rows of another place stand, exchanged in pairs or all one step away.
void add_exchanges(const Puzzle& puzzle, std::vector<Candidate>& candidates) {
  if (puzzle.errors.channels < 4) return;
  std::map<Step, Index> seen;
  Index matched = 0;
  constexpr std::size_t tried = 48;
  const auto rows = spread(puzzle.rows, tried);
  for (const RowError* row : rows) {
    const auto step = step_to_match(puzzle.errors, *row);
    if (!step) continue;
    ++matched;
    ++seen[*step];
  }
  if (10 * matched < 9 * static_cast<Index>(rows.size()) || seen.empty()) return;
  Step step = seen.begin()->first;
  for (const auto& [other, count] : seen) step = count > seen[step] ? other : step;
  const bool one = seen.size() == 1;
  const Axis axis = step[0] != 0 ? Axis::sequence : step[1] != 0 ? Axis::head : Axis::rows;
  const std::string_view what = axis == Axis::rows       ? "rows"
                                : axis == Axis::sequence ? "sequences"
                                                         : "heads";
  candidates.push_back(
      {axis,
       one ? step_text(step)
           : fmt::format("holds the right rows in wrong places: {} are exchanged", what),
       fmt::format("a wrong index when {} are written: a stride, an order of {}, or an offset",
                   what, what),
       [](RowModel& model) -> std::optional<Prediction> {
         const auto found = step_to_match(model.errors(), model.place());
         if (!found) return std::nullopt;
         const RowError& other = *row_at(model.errors(), model.place(), *found);
         return Prediction{wanted(model.errors(), other), std::nullopt,
                           sigma_of(model.errors(), other)};
       },
       4});
}

}  // namespace

double common_gain(const TensorErrors& errors, const std::vector<const RowError*>& rows) {
  double er = 0;
  double rr = 0;
  for (const RowError* row : rows) {
    for (Index i = row->first; i < row->first + errors.channels; ++i) {
      const double want = errors.want(i) / errors.sigma_at(i);
      er += (errors.got(i) - errors.want(i)) / errors.sigma_at(i) * want;
      rr += want * want;
    }
  }
  return rr == 0 ? 0 : er / rr;
}

std::vector<Candidate> direct_candidates(const Puzzle& puzzle) {
  std::vector<Candidate> candidates;
  add_factors(puzzle, candidates);
  add_wrong_sum(puzzle, candidates);
  add_exchanges(puzzle, candidates);
  return candidates;
}

}  // namespace fathom
