// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/located.h"

#include "harness/explain/fit.h"
#include "harness/explain/scope.h"
#include "harness/explain/singled_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

namespace fathom {
namespace {

bool is_live(const RowError& row) {
  return row.live;
}

std::string in_where(const std::string& where) {
  return where.empty() ? "" : " in " + where;
}

Explanation say(Axis axis, const TensorErrors& errors, std::string where, const std::string& rest,
                std::string cause) {
  Explanation explanation;
  explanation.axis = axis;
  explanation.tensor = to_string(errors.name);
  explanation.where = std::move(where);
  explanation.sentence = fmt::format("{} {}.", title_of(errors.name), rest);
  explanation.cause = std::move(cause);
  return explanation;
}

struct Sorted {
  std::vector<const RowError*> bad;
  std::vector<const RowError*> good;
};

Sorted sort_rows(const TensorErrors& errors) {
  Sorted sorted;
  for (const RowError& row : errors.rows) {
    if (row.bad) sorted.bad.push_back(&row);
    if (row.live && !row.bad) sorted.good.push_back(&row);
  }
  return sorted;
}

template <typename Test>
bool nearly_all(const std::vector<const RowError*>& rows, Test test) {
  const auto count = std::count_if(rows.begin(), rows.end(), test);
  return !rows.empty() && count >= 0.95 * static_cast<double>(rows.size());
}

/// Whether the rows outside the box look honest, and nearly every row inside is wrong.
bool is_sharp(const TensorErrors& errors, const Scope& scope, const Sorted& rows) {
  const double honest = honest_rms(errors);
  return !scope.everything() && scope.filled >= 0.9 && !rows.good.empty() &&
         mean_energy(errors, rows.good) <= honest * honest;
}

struct Part {
  Axis axis;
  std::string cause;
};

/// Whether every sequence of a box has more keys, or more queries, than any other with live rows.
bool are_longest(const Problem& problem, const TensorErrors& errors, const Scope& box) {
  const Index huge = std::numeric_limits<Index>::max();
  Sequence inside{.query_length = huge, .key_length = huge};  // The least of each.
  Sequence outside{.query_length = 0, .key_length = 0};       // The most of each.
  for (const RowError& row : errors.rows) {
    if (!row.live) continue;
    const Sequence& lengths = problem.sequences[static_cast<std::size_t>(row.sequence)];
    if (std::binary_search(box.sequences.begin(), box.sequences.end(), row.sequence)) {
      inside.query_length = std::min(inside.query_length, lengths.query_length);
      inside.key_length = std::min(inside.key_length, lengths.key_length);
    } else {
      outside.query_length = std::max(outside.query_length, lengths.query_length);
      outside.key_length = std::max(outside.key_length, lengths.key_length);
    }
  }
  return inside.key_length > outside.key_length || inside.query_length > outside.query_length;
}

/// The axis that the borders of a box speak for. Rows that the mask tells from the others may be
/// wrong for what they see.
Part part_of(const Problem& problem, const TensorErrors& errors, const Scope& scope) {
  if (!scope.all_rows) {
    if (const auto rows = singled_out(problem, errors, scope)) {
      return {
          Axis::unclear,
          fmt::format("these are just {}: either they go wrong, or what they alone see", *rows)};
    }
    Index rows = 0;
    for (const Index s : scope.sequences) {
      const Sequence& lengths = problem.sequences[static_cast<std::size_t>(s)];
      rows = std::max(rows, has_key_rows(errors.name) ? lengths.key_length : lengths.query_length);
    }
    if (is_tiled(scope.first_row, scope.last_row, rows)) {
      return {Axis::tile,
              "what only one tile of rows does: a tile not visited, written twice or at a "
              "wrong place"};
    }
    return {Axis::rows,
            "what only these rows do: an edge of the mask, of a tile or of the sequence"};
  }
  if (!scope.all_heads) {
    return {Axis::head,
            "what only these heads do: a wrong head index or stride, or a map of heads"};
  }
  if (are_longest(problem, errors, scope)) {
    return {Axis::unclear,
            "these are just the longest sequences: either they go wrong, or what only long ones "
            "do, such as a second tile, a rescaling or a split"};
  }
  return {Axis::sequence, "what only these sequences do: a wrong offset, length or batch stride"};
}

std::optional<Explanation> nonfinite(const Problem& problem, const TensorErrors& errors) {
  const auto test = [](const RowError& row) { return row.nonfinite; };
  if (std::none_of(errors.rows.begin(), errors.rows.end(), test)) return std::nullopt;
  const bool dead = std::all_of(errors.rows.begin(), errors.rows.end(),
                                [](const RowError& row) { return !row.nonfinite || !row.live; });
  const Scope scope = scope_of(problem, errors, test, [](const RowError&) { return true; });
  if (dead) {
    return say(Axis::rows, errors, to_text(scope, errors.name),
               "is not finite in rows that see no key",
               "the maximum of an empty row is -infinity, and -infinity - -infinity is no number");
  }
  const std::string where = to_text(scope, errors.name);
  if (scope.everything() || scope.filled < 0.9) {
    return say(Axis::unclear, errors, where, "is not finite" + in_where(where),
               "an overflow, a division by zero, or memory that was never written");
  }
  return say(part_of(problem, errors, scope).axis, errors, where,
             "is not finite" + in_where(where) + " only",
             "an overflow, a division by zero, or memory that was never written");
}

std::optional<Explanation> zeros(const Problem& problem, const TensorErrors& errors,
                                 const Sorted& rows) {
  if (!nearly_all(rows.bad, [](const RowError* row) { return row->zero; })) return std::nullopt;
  const Scope scope = scope_of(
      problem, errors, [](const RowError& row) { return row.zero && row.live; }, is_live);
  const std::string where = to_text(scope, errors.name);
  if (!is_all_zero(errors)) {
    return say(Axis::unclear, errors, where,
               "is exactly zero in most of its wrong rows" + in_where(where) +
                   ", and other rows are wrong, too",
               "");
  }
  if (!scope.everything() && is_sharp(errors, scope, rows)) {
    return say(Axis::zero, errors, where, "is exactly zero" + in_where(where),
               "rows that are never computed, or computed and not written");
  }
  return say(
      Axis::zero, errors, scope.everything() ? "" : where,
      scope.filled >= 0.9 ? "is exactly zero" : "is exactly zero in some rows" + in_where(where),
      "an output that is not computed, or not written");
}

/// Numbers that are none of the right ones, times anything: a factor of 0 would fit as well as any.
std::optional<Explanation> nothing(const TensorErrors& errors, const Sorted& rows) {
  if (!is_next_to_nothing(errors)) return std::nullopt;
  return say(Axis::unclear, errors, "",
             fmt::format("holds next to nothing in {} of {} rows: its numbers are smaller than the "
                         "rounding of the right ones",
                         rows.bad.size(), rows.bad.size() + rows.good.size()),
             "an output that is not written, numbers of another call, or a factor near 0");
}

std::string channels_text(const std::vector<Index>& channels, Index all) {
  const bool run = channels.back() - channels.front() + 1 == std::ssize(channels);
  if (!run) return "channels " + list_text(channels);
  if (channels.size() == 1) return fmt::format("channel {}", channels.front());
  if (channels.back() + 1 == all)
    return fmt::format("the last {} of {} channels", channels.size(), all);
  if (channels.front() == 0)
    return fmt::format("the first {} of {} channels", channels.size(), all);
  return fmt::format("channels {}-{}", channels.front(), channels.back());
}

/// Some channels wrong, the others honest.
std::optional<Explanation> channels(const TensorErrors& errors, const Sorted& rows) {
  if (rows.bad.size() < 4 || errors.channels < 4) return std::nullopt;
  std::vector<double> mean(static_cast<std::size_t>(errors.channels));
  for (const RowError* row : rows.bad) {
    for (Index c = 0; c < errors.channels; ++c) {
      const Index i = row->first + c;
      const double z = (errors.got(i) - errors.want(i)) / errors.sigma_at(i);
      mean[static_cast<std::size_t>(c)] += z * z / static_cast<double>(rows.bad.size());
    }
  }
  const double honest = honest_rms(errors);
  std::vector<Index> bad;
  double least = 1e300;
  double honest_part = 0;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    if (mean[c] <= 2 * honest * honest) {
      honest_part = std::max(honest_part, mean[c]);
      continue;
    }
    bad.push_back(static_cast<Index>(c));
    least = std::min(least, mean[c]);
  }
  const bool sharp =
      !bad.empty() && 2 * std::ssize(bad) <= errors.channels && least > 4 * honest_part;
  if (!sharp) return std::nullopt;
  const std::string where = channels_text(bad, errors.channels);
  return say(
      Axis::channel, errors, where, fmt::format("is wrong in {} only", where),
      "the loop over channels ends early, or a part of a vector is written at a wrong place");
}

/// One wrong element decides its row.
std::optional<Explanation> one_element(const TensorErrors& errors, const Sorted& rows) {
  if (rows.bad.size() != 1 || errors.channels < 4) return std::nullopt;
  const RowError& row = *rows.bad.front();
  for (Index c = 0; c < errors.channels; ++c) {
    const Index i = row.first + c;
    const double z = (errors.got(i) - errors.want(i)) / errors.sigma_at(i);
    const double rest = row.energy - z * z;
    const double honest = honest_rms(errors);
    if (z * z < 0.8 * row.energy ||
        rest > 1.5 * honest * honest * static_cast<double>(errors.channels))
      continue;
    const std::string where =
        fmt::format("sequence {}, head {}, row {}, channel {}", row.sequence, row.head, row.row, c);
    return say(Axis::rows, errors, where, "is wrong in one element only: " + where,
               "a stray write, or a fault of the memory");
  }
  return std::nullopt;
}

/// Wrong rows that return with a period: the first or last rows of every tile.
std::optional<Explanation> periodic(const TensorErrors& errors, const Sorted& rows) {
  for (const Index period : {16, 32, 64, 128}) {
    std::vector<bool> residues(static_cast<std::size_t>(period));
    std::set<Index> periods;
    for (const RowError* row : rows.bad) {
      residues[static_cast<std::size_t>(row->row % period)] = true;
      periods.insert(row->row / period);
    }
    std::vector<Index> seen;
    for (Index r = 0; r < period; ++r) {
      if (residues[static_cast<std::size_t>(r)]) seen.push_back(r);
    }
    Index could = 0;
    for (const RowError& row : errors.rows) {
      could += row.live && residues[static_cast<std::size_t>(row.row % period)];
    }
    const bool few = 4 * std::ssize(seen) <= period && periods.size() >= 3;
    if (!few || 10 * std::ssize(rows.bad) < 9 * could) continue;
    return say(Axis::tile, errors, fmt::format("rows {} of every {}", list_text(seen), period),
               fmt::format("is wrong in rows {} of every {} only", list_text(seen), period),
               "an edge of a tile: its first or last rows are handled wrongly");
  }
  return std::nullopt;
}

/// Most of the rows of a sequence are no part of it that a fault would single out.
bool is_most(const TensorErrors& errors, const Scope& scope) {
  Index inside = 0;
  Index all = 0;
  for (const RowError& row : errors.rows) {
    if (!row.live) continue;
    ++all;
    inside += scope.first_row <= row.row && row.row <= scope.last_row;
  }
  return !scope.all_rows && 5 * inside > 3 * all;
}

/// Whether the error falls steeply at the borders: most wrong rows are twice as wrong as any row
/// outside. Else the box is but the tip of errors that are everywhere.
bool stands_clear(const Scope& scope, const Sorted& rows) {
  std::vector<double> inside;
  for (const RowError* row : rows.bad) inside.push_back(row->energy);
  const auto middle = inside.begin() + std::ssize(inside) / 2;
  std::nth_element(inside.begin(), middle, inside.end());
  const auto contains = [](const std::vector<Index>& list, Index value) {
    return std::binary_search(list.begin(), list.end(), value);
  };
  return std::none_of(rows.good.begin(), rows.good.end(), [&](const RowError* row) {
    const bool in_box = scope.first_row <= row->row && row->row <= scope.last_row &&
                        contains(scope.sequences, row->sequence) &&
                        contains(scope.heads, row->head);
    return !in_box && 4 * row->energy > *middle;
  });
}

std::optional<Explanation> box(const Problem& problem, const TensorErrors& errors,
                               const Sorted& rows) {
  const Scope scope = scope_of(
      problem, errors, [](const RowError& row) { return row.bad; }, is_live);
  if (!is_sharp(errors, scope, rows) || is_most(errors, scope)) return std::nullopt;
  if (!stands_clear(scope, rows)) return std::nullopt;
  const Part part = part_of(problem, errors, scope);
  const std::string where = to_text(scope, errors.name);
  return say(part.axis, errors, where, fmt::format("is wrong in {} only", where), part.cause);
}

/// Largest and smallest mean z^2 of groups of rows, as a ratio.
double unevenness(const TensorErrors& errors, const std::function<Index(const RowError&)>& group) {
  std::map<Index, std::pair<double, double>> sums;
  for (const RowError& row : errors.rows) {
    if (!row.live) continue;
    auto& [sum, count] = sums[group(row)];
    sum += row.energy;
    count += static_cast<double>(errors.channels);
  }
  double low = 1e300;
  double high = 0;
  for (const auto& [key, sum] : sums) {
    if (sum.second < 256) continue;  // Too few numbers to compare.
    low = std::min(low, sum.first / sum.second);
    high = std::max(high, sum.first / sum.second);
  }
  return high == 0 ? 1 : high / std::max(low, 1e-300);
}

/// Share of the error energy of one head that lies along one direction of its channels: large if
/// the errors have a common source, such as one row of V.
double coherence(const TensorErrors& errors, Index sequence, Index head) {
  std::vector<const RowError*> rows;
  for (const RowError& row : errors.rows) {
    if (row.live && row.sequence == sequence && row.head == head) rows.push_back(&row);
  }
  const auto z = [&](const RowError* row, Index c) {
    const Index i = row->first + c;
    return (errors.got(i) - errors.want(i)) / errors.sigma_at(i);
  };
  double all = 0;
  double inside = 0;
  std::vector<double> u(static_cast<std::size_t>(errors.channels), 1.0);
  for (int step = 0; step < 12; ++step) {
    std::vector<double> next(u.size());
    double size = 0;
    all = inside = 0;
    for (const double value : u) size += value * value;
    for (const RowError* row : rows) {
      double along = 0;
      for (Index c = 0; c < errors.channels; ++c)
        along += u[static_cast<std::size_t>(c)] * z(row, c);
      along /= std::sqrt(std::max(size, 1e-300));
      for (Index c = 0; c < errors.channels; ++c) {
        next[static_cast<std::size_t>(c)] += along * z(row, c);
      }
      inside += along * along;
      all += row->energy;
    }
    u = std::move(next);
  }
  return all > 0 ? inside / all : 0;
}

bool is_coherent(const TensorErrors& errors, double limit) {
  constexpr Index tried = 8;
  for (Index head = 0; head <= std::min(tried, errors.rows.back().head); ++head) {
    for (Index s = 0; s <= std::min<Index>(1, errors.rows.back().sequence); ++s) {
      if (coherence(errors, s, head) > limit) return true;
    }
  }
  return false;
}

/// Small errors of about one size in every head, sequence, tile and channel.
std::optional<Explanation> everywhere(const TensorErrors& errors) {
  if (errors.name == TensorName::lse) return std::nullopt;  // Its limit is no model of its error.
  // Of the tensor's norm: six times what one rounding to bf16 leaves, or 36 roundings in a row.
  // Where errors are larger, V or K in another order looks just as even.
  const double largest = 0.01;
  if (rel_f(errors.comparison->score) > largest) return std::nullopt;
  const auto [low, high] = std::minmax_element(errors.by_channel.begin(), errors.by_channel.end());
  const bool even = unevenness(errors, [](const RowError& r) { return r.head; }) < 3 &&
                    unevenness(errors, [](const RowError& r) { return r.sequence; }) < 3 &&
                    unevenness(errors, [](const RowError& r) { return r.row / 64; }) < 4 &&
                    *high < 9 * std::max(*low, 1e-300);
  double energy = 0;
  double most = 0;
  Index live = 0;
  for (const RowError& row : errors.rows) {
    if (!row.live) continue;
    energy += row.energy;
    most = std::max(most, row.energy);
    ++live;
  }
  const double mean = energy / static_cast<double>(std::max<Index>(live, 1));
  const double rho = std::sqrt(mean / static_cast<double>(errors.channels));
  // Rows of one rounding model differ by a small factor; one wrong row among many does not.
  const double chance = 4 * std::pow(1 + std::sqrt(static_cast<double>(errors.channels) / 64), 2) /
                        static_cast<double>(errors.channels);
  if (errors.channels >= 16 && is_coherent(errors, std::max(0.2, chance))) return std::nullopt;
  if (!even || live < 16 || rho < 1.35 || most > 6 * mean) return std::nullopt;
  return say(
      Axis::everywhere, errors, "",
      fmt::format(
          "is off by {:.2g} times the expected error, evenly in all rows, heads and channels", rho),
      "accumulation or rounding in a narrower format than declared");
}

Explanation unclear(const Problem& problem, const TensorErrors& errors, const Sorted& rows) {
  if (rows.bad.empty()) {
    return say(Axis::unclear, errors, "",
               "leaves its budget only on average, and no known fault explains it", "");
  }
  const Scope scope = scope_of(
      problem, errors, [](const RowError& row) { return row.bad; }, is_live);
  const std::string where = to_text(scope, errors.name);
  return say(
      Axis::unclear, errors, where,
      fmt::format("is wrong in {} of {} rows{}, and no known fault explains it", rows.bad.size(),
                  rows.bad.size() + rows.good.size(), where.empty() ? "" : ", all within " + where),
      "");
}

}  // namespace

std::string_view title_of(TensorName name) {
  switch (name) {
    case TensorName::o: return "O";
    case TensorName::lse: return "LSE";
    case TensorName::dq: return "dQ";
    case TensorName::dk: return "dK";
    case TensorName::dv: return "dV";
    default: return to_string(name);
  }
}

bool is_all_zero(const TensorErrors& errors) {
  const std::vector<const RowError*> bad = sort_rows(errors).bad;
  return !bad.empty() &&
         std::all_of(bad.begin(), bad.end(), [](const RowError* row) { return row->zero; });
}

bool is_next_to_nothing(const TensorErrors& errors) {
  const std::vector<const RowError*> bad = sort_rows(errors).bad;
  const std::vector<double> zeros(static_cast<std::size_t>(errors.channels));
  double energy = 0;
  for (const RowError* row : bad) energy += energy_against(errors, *row, zeros);
  const double honest = honest_rms(errors);
  return !bad.empty() &&
         energy <= honest * honest * static_cast<double>(std::ssize(bad) * errors.channels);
}

Explanation locate(const Problem& problem, const TensorErrors& errors) {
  const Sorted rows = sort_rows(errors);
  if (auto found = nonfinite(problem, errors)) return *found;
  if (auto found = zeros(problem, errors, rows)) return *found;
  if (auto found = nothing(errors, rows)) return *found;
  if (auto found = one_element(errors, rows)) return *found;
  if (auto found = channels(errors, rows)) return *found;
  if (auto found = box(problem, errors, rows)) return *found;
  if (auto found = periodic(errors, rows)) return *found;
  if (auto found = everywhere(errors)) return *found;
  return unclear(problem, errors, rows);
}

}  // namespace fathom
