// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/power.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

/// P(X >= k) of a binomial variable, n trials.
double upper_tail(Index n, Index k, double p) {
  double sum = 0;
  const auto count = static_cast<double>(n);
  for (Index i = k; i <= n; ++i) {
    const auto x = static_cast<double>(i);
    const double log_ways =
        std::lgamma(count + 1) - std::lgamma(x + 1) - std::lgamma(count - x + 1);
    const double log_p = (i > 0 ? x * std::log(p) : 0) + (i < n ? (count - x) * std::log1p(-p) : 0);
    sum += std::exp(log_ways + log_p);
  }
  return sum;
}

/// The p in (0, 1) at which an increasing function reaches `value`.
template <typename Function>
double solve(Function increasing, double value) {
  double low = 0;
  double high = 1;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (increasing(middle) < value ? low : high) = middle;
  }
  return (low + high) / 2;
}

std::string place_of(const Cell& cell) {
  return cell.key_length > 0 ? fmt::format("{} n_k={}", cell.dtype, cell.key_length) : cell.dtype;
}

std::string group_of(const Cell& cell) {
  return fmt::format("{} {}", place_of(cell), cell.pass);
}

/// Every Check that failed in some Case of the cell.
std::set<std::string> checks_of(const Cell& cell) {
  std::set<std::string> all;
  for (const auto& [text, checks] : cell.checks) all.insert(checks.begin(), checks.end());
  return all;
}

}  // namespace

Rate rate_of(Index killed, Index of) {
  Rate rate{killed, of, 0, 1};
  if (killed > 0) {
    rate.low = solve([&](double p) { return upper_tail(of, killed, p); }, 0.025);
  }
  if (killed < of) {
    rate.high = solve([&](double p) { return upper_tail(of, killed + 1, p); }, 0.975);
  }
  return rate;
}

Power power_of(const KillMatrix& matrix) {
  Power power;
  std::map<std::string, std::pair<Index, Index>> groups;
  std::map<std::string, bool> lives;
  std::map<std::string, std::set<std::string>> killers;
  Index killed = 0;
  for (const Cell& cell : matrix.cells) {
    lives[cell.mutant] |= cell.state != CellState::equivalent;
    if (cell.state == CellState::equivalent) {
      ++power.equivalent;
      continue;
    }
    auto& [group_killed, group_of_all] = groups[group_of(cell)];
    ++group_of_all;
    if (cell.state == CellState::survived) {
      power.survivors.push_back(cell.mutant + " " + place_of(cell));
      continue;
    }
    ++group_killed;
    ++killed;
    const std::set<std::string> checks = checks_of(cell);
    for (const std::string& check : checks) ++power.kills[check];
    if (checks.size() == 1) ++power.alone[*checks.begin()];
    killers[cell.mutant].insert(checks.begin(), checks.end());
  }
  const auto cells = static_cast<Index>(matrix.cells.size());
  power.all = rate_of(killed, cells - power.equivalent);
  for (const auto& [name, counts] : groups) {
    power.by_group[name] = rate_of(counts.first, counts.second);
  }
  for (const auto& [mutant, alive] : lives) {
    if (!alive) power.dead.push_back(mutant);
  }
  for (const auto& [mutant, checks] : killers) {
    if (checks.size() == 1) power.fragile.push_back(mutant + " (" + *checks.begin() + ")");
  }
  return power;
}

}  // namespace fathom
