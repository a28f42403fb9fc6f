// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/heat_map.h"

#include "harness/explain/fit.h"
#include "harness/explain/question.h"
#include "harness/explain/residuals.h"
#include "harness/explain/row_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

constexpr Index most_cells = 64;

/// Sums of z^2 that become a HeatMap.
class Cells {
 public:
  Cells(Index rows, Index columns)
      : rows_(rows),
        columns_(columns),
        sums_(static_cast<std::size_t>(rows * columns)),
        counts_(static_cast<std::size_t>(rows * columns)) {}

  void add(Index row, Index column, double energy, double count) {
    const auto at = static_cast<std::size_t>(row * columns_ + column);
    sums_[at] += energy;
    counts_[at] += count;
  }

  [[nodiscard]] HeatMap map(TensorName name, std::string rows_are, std::string columns_are) const {
    HeatMap map{std::string(to_string(name)),
                std::move(rows_are),
                std::move(columns_are),
                rows_,
                columns_,
                {}};
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      map.values.push_back(counts_[i] == 0 ? -1 : std::sqrt(sums_[i] / counts_[i]));
    }
    return map;
  }

 private:
  Index rows_;
  Index columns_;
  std::vector<double> sums_;
  std::vector<double> counts_;
};

Index ceil_div(Index a, Index b) {
  return (a + b - 1) / b;
}

Index rows_of(const Problem& problem, TensorName name, std::size_t s) {
  return has_key_rows(name) ? problem.sequences[s].key_length : problem.sequences[s].query_length;
}

/// Where the tiles of each sequence begin, the last entry being the number of all.
std::vector<Index> first_tiles(const Problem& problem, TensorName name, Index tile) {
  std::vector<Index> first{0};
  for (std::size_t s = 0; s < problem.sequences.size(); ++s) {
    first.push_back(first.back() + std::max<Index>(1, ceil_div(rows_of(problem, name, s), tile)));
  }
  return first;
}

Index coarse_tile(const Problem& problem, TensorName name, Index tile) {
  const auto sequences = static_cast<Index>(problem.sequences.size());
  while (first_tiles(problem, name, tile).back() > std::max(most_cells, sequences)) tile *= 2;
  return tile;
}

HeatMap by_head(const Evidence& evidence, const TensorErrors& errors) {
  const Problem& problem = evidence.observation.c.problem;
  const bool of_keys = has_key_rows(errors.name);
  const Arithmetic& arithmetic = evidence.observation.arithmetic;
  const Index tile = coarse_tile(problem, errors.name,
                                 std::max(1, of_keys ? arithmetic.block_n : arithmetic.block_m));
  const std::vector<Index> first = first_tiles(problem, errors.name, tile);
  const Index per_row = ceil_div(first.back(), most_cells);  // More than 1 beyond 64 sequences.
  const Index heads = head_count(problem, errors.name);
  const Index per_column = ceil_div(heads, most_cells);
  Cells cells(ceil_div(first.back(), per_row), ceil_div(heads, per_column));
  for (const RowError& row : errors.rows) {
    if (!row.live && row.energy == 0) continue;
    const Index at = first[static_cast<std::size_t>(row.sequence)] + row.row / tile;
    cells.add(at / per_row, row.head / per_column, row.energy,
              static_cast<double>(errors.channels));
  }
  std::string rows_are = fmt::format("{} tiles of {}", of_keys ? "key" : "query", tile);
  if (problem.sequences.size() > 1) rows_are += ", sequence after sequence";
  if (per_row > 1) rows_are = fmt::format("every {} sequences", per_row);
  std::string columns_are = of_keys ? "KV heads" : "heads";
  if (per_column > 1) columns_are = fmt::format("every {} {}", per_column, columns_are);
  return cells.map(errors.name, std::move(rows_are), std::move(columns_are));
}

/// The energy of a row's error along the direction in which one key tile moves it: 1 if the error
/// knows nothing of the tile.
class AlongTiles {
 public:
  AlongTiles(RowModel& model, Index tile) : model_(model), tile_(tile) {}

  [[nodiscard]] std::optional<double> energy(Index t) const {
    const TensorErrors& errors = model_.errors();
    const RowError& row = model_.place();
    const TermList& terms = model_.terms(row.sequence, model_.own_head());
    std::vector<double> sum(static_cast<std::size_t>(terms.width()));
    terms.add(t * tile_, (t + 1) * tile_, 1, sum);
    double along = 0;
    double size = 0;
    for (Index c = 0; c < errors.channels; ++c) {
      const Index i = row.first + c;
      const double step =
          (sum[static_cast<std::size_t>(c)] - sum.back() * errors.want(i)) / errors.sigma_at(i);
      along += step * (errors.got(i) - errors.want(i)) / errors.sigma_at(i);
      size += step * step;
    }
    if (!(size > 0) || !std::isfinite(along)) return std::nullopt;
    return along / size * along;
  }

 private:
  RowModel& model_;
  Index tile_;
};

/// Only of the sequence with the worst row, and of rows that a second or so can afford.
HeatMap by_key(const Evidence& evidence, const Question& question, const TensorErrors& errors) {
  const RowError* worst = &errors.rows.front();
  for (const RowError& row : errors.rows) {
    if (row.live && row.energy > worst->energy) worst = &row;
  }
  std::vector<const RowError*> rows;
  for (const RowError& row : errors.rows) {
    if (row.live && !row.nonfinite && row.sequence == worst->sequence) rows.push_back(&row);
  }
  const Sequence& lengths = question.sequence(worst->sequence);
  const Arithmetic& arithmetic = evidence.observation.arithmetic;
  const auto fitting = [](Index length, Index tile) {
    while (ceil_div(length, tile) > most_cells) tile *= 2;
    return tile;
  };
  const Index query_tile = fitting(lengths.query_length, std::max(1, arithmetic.block_m));
  const Index key_tile = fitting(lengths.key_length, std::max(1, arithmetic.block_n));
  Cells cells(ceil_div(lengths.query_length, query_tile), ceil_div(lengths.key_length, key_tile));
  const double cost = static_cast<double>(
      lengths.key_length * (question.problem().head_dim + question.problem().value_dim));
  for (const RowError* row :
       spread(rows, static_cast<std::size_t>(std::clamp(3e8 / cost, 32.0, 4096.0)))) {
    RowModel model(question, errors, *row);
    const AlongTiles tiles(model, key_tile);
    for (Index t = 0; t < ceil_div(lengths.key_length, key_tile); ++t) {
      if (const auto energy = tiles.energy(t)) cells.add(row->row / query_tile, t, *energy, 1);
    }
  }
  std::string rows_are = fmt::format("query tiles of {}", query_tile);
  if (question.sequences() > 1) rows_are += fmt::format(" of sequence {}", worst->sequence);
  return cells.map(errors.name, std::move(rows_are), fmt::format("key tiles of {}", key_tile));
}

}  // namespace

std::vector<HeatMap> heat_maps(const Observation& observation, const TensorSet& inputs) {
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  const Evidence evidence = weigh(observation, reach);
  std::vector<HeatMap> maps;
  for (const Comparison& comparison : evidence.tensors) {
    if (comparison.observed == nullptr) continue;
    const TensorErrors errors = errors_of(evidence, comparison);
    if (errors.rows.empty()) continue;
    maps.push_back(by_head(evidence, errors));
    if (errors.name != TensorName::o) continue;
    const bool finite = std::any_of(errors.rows.begin(), errors.rows.end(),
                                    [](const RowError& row) { return row.live && !row.nonfinite; });
    if (finite) maps.push_back(by_key(evidence, Question(observation, inputs), errors));
  }
  return maps;
}

}  // namespace fathom
