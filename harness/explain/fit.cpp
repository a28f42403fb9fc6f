// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/fit.h"

#include "harness/explain/scope.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace fathom {
namespace {

/// Products of numbers that one puzzle may cost, all candidates together.
constexpr double work_limit = 4e9;
/// Passes over the terms of a row that a scan and the candidates worth trying take, about.
constexpr double passes = 32;
/// Twice the log-likelihood ratio of what is clearly better: e^6 to 1.
constexpr double likelihood_margin = 12;
/// Rows on which all candidates are tried before the hopeful ones meet all rows.
constexpr std::size_t screened_rows = 8;

double terms_per_row(const Question& question, TensorName name) {
  Index terms = 1;
  for (Index s = 0; s < question.sequences(); ++s) {
    const Sequence& lengths = question.sequence(s);
    terms = std::max(
        terms, has_key_rows(name) ? lengths.query_length * question.group() : lengths.key_length);
  }
  return static_cast<double>(terms);
}

std::size_t affordable_rows(const Question& question, TensorName name) {
  const Problem& problem = question.problem();
  const double cost = passes * terms_per_row(question, name) *
                      static_cast<double>(problem.head_dim + problem.value_dim);
  return static_cast<std::size_t>(std::clamp(work_limit / cost, 12.0, 160.0));
}

/// Error of the LSE beside a row of O, as a share of T_L.
double lse_share(const TensorErrors& lse, const RowError& row, double prediction) {
  const double got = lse.got(row.first);
  if (got == prediction) return 0;
  const double e = std::abs(got - prediction);
  return std::isfinite(e) ? e / lse.sigma_at(row.first) : 1e9;
}

const RowError& beside(const TensorErrors& lse, const TensorErrors& errors, const RowError& row) {
  return lse.rows[static_cast<std::size_t>(&row - errors.rows.data())];
}

/// All rows of the smallest box of sequences, heads and rows round the wrong ones: those that the
/// fault reached without making them wrong enough are evidence too.
std::vector<const RowError*> box_round(const Problem& problem, const TensorErrors& errors,
                                       const std::vector<const RowError*>& bad) {
  const std::set<const RowError*> members(bad.begin(), bad.end());
  const Scope scope = scope_of(
      problem, errors, [&](const RowError& row) { return members.contains(&row); },
      [](const RowError& row) { return row.live; });
  const auto holds = [](const std::vector<Index>& list, Index value) {
    return std::binary_search(list.begin(), list.end(), value);
  };
  std::vector<const RowError*> box;
  for (const RowError& row : errors.rows) {
    const bool in_rows = scope.first_row <= row.row && row.row <= scope.last_row;
    const bool inside =
        in_rows && holds(scope.sequences, row.sequence) && holds(scope.heads, row.head);
    if (!row.nonfinite && inside && (row.live || row.bad)) box.push_back(&row);
  }
  return box;
}

/// Sums stay finite, so that one infinite row does not hide all others.
double bounded(double energy) {
  return std::isfinite(energy) ? std::min(energy, 1e30) : 1e30;
}

void add_row(const Puzzle& puzzle, const RowError& row, const std::optional<Prediction>& prediction,
             Fit& fit) {
  fit.rows += 1;
  fit.elements += static_cast<double>(puzzle.errors.channels);
  fit.before += bounded(row.energy);
  fit.after +=
      bounded(prediction ? energy_against(puzzle.errors, row, prediction->value, prediction->sigma)
                         : row.energy);
  if (puzzle.lse == nullptr) return;
  const RowError& lse = beside(*puzzle.lse, puzzle.errors, row);
  if (!lse.live) return;
  fit.lse_before += bounded(lse.energy);
  const double share = prediction && prediction->lse ? lse_share(*puzzle.lse, lse, *prediction->lse)
                                                     : std::sqrt(bounded(lse.energy));
  fit.lse_after += bounded(share * share);
}

}  // namespace

std::vector<const RowError*> spread(const std::vector<const RowError*>& rows, std::size_t count) {
  if (rows.size() <= count) return rows;
  std::vector<const RowError*> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(rows[i * rows.size() / count]);
  return chosen;
}

Puzzle make_puzzle(const Question& question, const TensorErrors& errors, const TensorErrors* lse,
                   Sampling sampling) {
  std::vector<const RowError*> bad;
  std::vector<const RowError*> all;
  for (const RowError& row : errors.rows) {
    if (row.nonfinite) continue;
    if (row.live) all.push_back(&row);
    if (row.bad || (lse != nullptr && beside(*lse, errors, row).bad)) bad.push_back(&row);
  }
  if (sampling == Sampling::box && !bad.empty()) bad = box_round(question.problem(), errors, bad);
  return {question, errors, lse,
          spread(bad.empty() ? all : bad, affordable_rows(question, errors.name))};
}

std::vector<Fit> fits_of(const Puzzle& puzzle, const std::vector<Candidate>& candidates) {
  std::vector<Fit> fits(candidates.size());
  const std::vector<double> zeros(static_cast<std::size_t>(puzzle.errors.channels));
  double nothing = 0;
  for (const RowError* row : puzzle.rows) {
    nothing += bounded(energy_against(puzzle.errors, *row, zeros));
    RowModel model(puzzle.question, puzzle.errors, *row);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      add_row(puzzle, *row, candidates[i].predict(model), fits[i]);
    }
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    fits[i].freedom = candidates[i].freedom_per_row * fits[i].rows;
    fits[i].nothing = nothing;
  }
  return fits;
}

double honest_rms(const TensorErrors& errors) {
  switch (errors.comparison->spec.dtype) {
    case Dtype::f64: return 10;
    case Dtype::f32: return errors.name == TensorName::o ? 2.5 : 3;
    case Dtype::f16:
    case Dtype::bf16: break;
  }
  return 1.6;
}

bool explains(const Puzzle& puzzle, const Fit& fit) {
  if (fit.elements <= 0) return false;
  const double honest = honest_rms(puzzle.errors);
  const double free = std::max(1.0, fit.elements - fit.freedom);
  const double left = fit.after + fit.lse_after;
  const double gained = fit.before + fit.lse_before - left;
  const double excess = fit.before - fit.elements + fit.lse_before;
  // Zeros, and so anything times 0, must not fit as well.
  if (fit.nothing < fit.after + 3 * fit.freedom + likelihood_margin) return false;
  return fit.after <= honest * honest * free && fit.lse_after <= 2 * fit.rows &&
         gained >= std::max(40.0, 0.1 * fit.elements) + 3 * fit.freedom && gained >= 0.75 * excess;
}

/// Whether a few rows leave hope: most of the excess gone, or too little of it to tell.
bool is_hopeful(const Fit& fit) {
  const double gained = fit.before + fit.lse_before - fit.after - fit.lse_after;
  const double gained_alone = fit.before - fit.after;
  const double scatter = 5 * std::sqrt(2 * (fit.elements + fit.rows)) + fit.freedom;
  const double excess = fit.before - fit.elements;
  return gained >= 0.4 * (excess + fit.lse_before) - scatter ||
         gained_alone >= 0.4 * excess - scatter;
}

std::vector<Candidate> screened(const Puzzle& puzzle, const std::vector<Candidate>& candidates) {
  if (puzzle.rows.size() <= 2 * screened_rows) return candidates;
  Puzzle few = puzzle;
  few.rows = spread(puzzle.rows, screened_rows);
  const std::vector<Fit> fits = fits_of(few, candidates);
  std::vector<Candidate> hopeful;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (is_hopeful(fits[i])) hopeful.push_back(candidates[i]);
  }
  return hopeful;
}

Choice choose(const Puzzle& puzzle, const std::vector<Candidate>& candidates) {
  Choice choice;
  double best = 0;
  const std::vector<Fit> fits = fits_of(puzzle, candidates);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    const Fit& fit = fits[i];
    if (!explains(puzzle, fit)) {
      Fit alone = fit;
      alone.lse_before = alone.lse_after = 0;
      if (choice.contradicted == nullptr && explains(puzzle, alone))
        choice.contradicted = &candidate;
      continue;
    }
    if (choice.candidate == nullptr || fit.total() < best - likelihood_margin) {
      choice.candidate = &candidate;
      choice.equal = nullptr;
      best = fit.total();
    } else if (fit.total() < best + likelihood_margin && candidate.axis != choice.candidate->axis &&
               choice.equal == nullptr) {
      choice.equal = &candidate;
    }
  }
  return choice;
}

bool spares_rows(const Puzzle& puzzle, const Candidate& candidate) {
  std::vector<const RowError*> good;
  for (const RowError& row : puzzle.errors.rows) {
    const bool lse_bad = puzzle.lse != nullptr && beside(*puzzle.lse, puzzle.errors, row).bad;
    if (row.live && !row.bad && !lse_bad) good.push_back(&row);
  }
  Index spared = 0;
  for (const RowError* row : spread(good, std::max<std::size_t>(puzzle.rows.size(), 24))) {
    RowModel model(puzzle.question, puzzle.errors, *row);
    const auto prediction = candidate.predict(model);
    if (!prediction) continue;
    const double margin = 40 + 4 * static_cast<double>(puzzle.errors.channels);
    spared += energy_against(puzzle.errors, *row, prediction->value, prediction->sigma) >
              row->energy + margin;
  }
  return spared > 0;
}

}  // namespace fathom
