// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/peer_power.h"

#include "harness/peers/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace fathom {
namespace {

using RulesByCase = std::map<std::string, std::set<std::string>>;

bool fails(const RulesByCase& cases, const std::string& text, const std::string& rule) {
  const auto found = cases.find(text);
  return found != cases.end() && found->second.contains(rule);
}

bool has_fill(const std::string& text, Fill fill) {
  return text.find(fmt::format(" fill={} ", to_string(fill))) != std::string::npos;
}

/// Whether a rule kills a cell, by any Case and by one of the rule's own data.
struct Kills {
  bool any = false;
  bool own = false;
};
Kills kills_of(const PeerRule& rule, const Cell& cell, const RulesByCase& twin) {
  Kills kills;
  const std::string name(rule.name);
  for (const auto& [text, rules] : cell.peers) {
    if (!rules.contains(name) || fails(twin, text, name)) continue;
    kills.any = true;
    kills.own |= has_fill(text, rule.fill);
  }
  return kills;
}

PeerPower power_of(const PeerRule& rule, const KillMatrix& matrix) {
  PeerPower power{std::string(rule.name), std::string(rule.project), std::string(rule.link)};
  for (const Cell& cell : matrix.cells) {
    if (cell.state == CellState::equivalent) continue;
    ++power.of;
    const Kills kills = kills_of(rule, cell, matrix.peers_of_twin);
    power.killed += kills.any ? 1 : 0;
    power.own_killed += kills.own ? 1 : 0;
  }
  power.cases = static_cast<Index>(matrix.twin_cases);
  for (const auto& [text, rules] : matrix.peers_of_twin) {
    power.cries += rules.contains(power.rule) ? 1 : 0;
  }
  return power;
}

std::string percent(Index part, Index whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.0f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

std::vector<PeerPower> peer_power_of(const KillMatrix& matrix) {
  std::vector<PeerPower> powers;
  for (const PeerRule& rule : peer_rules()) powers.push_back(power_of(rule, matrix));
  std::stable_sort(powers.begin(), powers.end(),
                   [](const PeerPower& a, const PeerPower& b) { return a.killed > b.killed; });
  return powers;
}

std::string peer_table(const std::vector<PeerPower>& peers, const KillMatrix& matrix) {
  Index of = 0;
  Index ours = 0;
  for (const Cell& cell : matrix.cells) {
    of += cell.state == CellState::equivalent ? 0 : 1;
    ours += cell.state == CellState::killed ? 1 : 0;
  }
  std::string text = fmt::format(
      "| rule | project | kills of {} | on its own data | cries at an honest kernel, of {} cases "
      "|\n"
      "|---|---|---|---|---|\n| **fathom, plain Cases alone** | | **{}** | | {} |\n",
      of, matrix.twin_cases, percent(ours, of), matrix.alarms.size());
  for (const PeerPower& peer : peers) {
    fmt::format_to(std::back_inserter(text), "| [{}]({}) | {} | {} | {} | {} |\n", peer.rule,
                   peer.link, peer.project, percent(peer.killed, peer.of),
                   percent(peer.own_killed, peer.of), peer.cries);
  }
  return text;
}

}  // namespace fathom
