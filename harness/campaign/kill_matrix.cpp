// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/kill_matrix.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace fathom {
namespace {

Index longest_key_length(const Problem& problem) {
  Index longest = 0;
  for (const Sequence& s : problem.sequences) longest = std::max(longest, s.key_length);
  return longest;
}

PlannedCase plan_for(const std::string& backend, const Case& c) {
  return {case_id(backend, c), backend, c};
}

std::set<std::string> failed_checks(const Record& record) {
  std::set<std::string> checks;
  for (const Finding& finding : record.findings) checks.insert(finding.check);
  if (checks.empty()) checks.insert(std::string(to_string(record.verdict)));
  return checks;
}

std::set<std::string> failed_peers(const Record& record) {
  std::set<std::string> rules;
  for (const TensorMetrics& tensor : record.tensors) {
    for (const auto& [rule, opinion] : tensor.peer_rules) {
      if (!opinion.pass) rules.insert(rule);
    }
  }
  return rules;
}

/// The matrix while it is filled.
class Builder {
 public:
  Builder(Lanes& lanes, const std::vector<MutantInfo>& mutants, const KillMatrixOptions& options)
      : lanes_(lanes), mutants_(mutants), options_(options) {}

  KillMatrix build(const std::vector<Case>& cases) {
    for (const Case& c : cases) open_cells(c);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      run_case_on_all(cases[i]);
      if (options_.on_case) options_.on_case(i + 1, cases.size(), alive());
    }
    return std::move(matrix_);
  }

 private:
  /// One cell per mutant for the dtype and length of a Case.
  void open_cells(const Case& c) {
    const std::string dtype(to_string(c.problem.dtype));
    const Index length = length_of(c);
    for (const MutantInfo& mutant : mutants_) {
      const auto [at, is_new] =
          cell_of_.emplace(std::tuple{mutant.name, dtype, length}, matrix_.cells.size());
      if (!is_new) continue;
      Cell cell;
      cell.mutant = mutant.name;
      cell.pass = mutant.pass;
      cell.dtype = dtype;
      cell.key_length = length;
      matrix_.cells.push_back(std::move(cell));
    }
  }

  Cell& cell(const std::string& mutant, const Case& c) {
    return matrix_
        .cells[cell_of_.at({mutant, std::string(to_string(c.problem.dtype)), length_of(c)})];
  }

  [[nodiscard]] Index length_of(const Case& c) const {
    return options_.by_key_length ? longest_key_length(c.problem) : 0;
  }

  [[nodiscard]] std::size_t alive() const {
    return static_cast<std::size_t>(
        std::count_if(matrix_.cells.begin(), matrix_.cells.end(),
                      [](const Cell& cell) { return cell.state != CellState::killed; }));
  }

  void run_case_on_all(const Case& c) {
    Record twin;
    const PlannedCase honest = plan_for(honest_twin, c);
    lanes_.run({&honest, 1}, [&](std::size_t, Record record) { twin = std::move(record); });
    ++matrix_.twin_cases;
    if (twin.verdict != Verdict::pass) {
      (is_kill(twin) ? matrix_.alarms : matrix_.powerless).push_back(alarm_of(twin));
      return;
    }
    if (const auto rules = failed_peers(twin); !rules.empty()) {
      matrix_.peers_of_twin[to_string(c)] = rules;
    }
    std::vector<PlannedCase> planned;
    std::vector<Cell*> cells;
    for (const MutantInfo& mutant : mutants_) {
      Cell& candidate = cell(mutant.name, c);
      if (!options_.full && candidate.state == CellState::killed) continue;
      if (mutant.pass == "backward" && !has_backward(c.problem)) continue;
      planned.push_back(plan_for("mutant:" + mutant.name, c));
      cells.push_back(&candidate);
    }
    bool useful = false;
    lanes_.run(planned, [&](std::size_t i, const Record& record) {
      useful |= enter(*cells[i], record, twin);
    });
    if (!useful) matrix_.idle.push_back(to_string(c));
  }

  /// Whether the Case killed the mutant.
  static bool enter(Cell& cell, const Record& record, const Record& twin) {
    const std::string text = to_string(record.planned.c);
    if (const auto rules = failed_peers(record); !rules.empty()) cell.peers[text] = rules;
    if (is_kill(record)) {
      if (cell.state != CellState::killed) cell.killed_by = text;
      cell.state = CellState::killed;
      cell.checks[text] = failed_checks(record);
      if (record.explanation) cell.explanations[text] = *record.explanation;
      return true;
    }
    if (cell.state == CellState::equivalent && record.outputs_hash != twin.outputs_hash) {
      cell.state = CellState::survived;
    }
    return false;
  }

  Lanes& lanes_;
  const std::vector<MutantInfo>& mutants_;
  const KillMatrixOptions& options_;
  KillMatrix matrix_;
  std::map<std::tuple<std::string, std::string, Index>, std::size_t> cell_of_;
};

}  // namespace

std::string_view to_string(CellState state) {
  constexpr std::array<std::string_view, 3> names{"survived", "killed", "equivalent"};
  return names[static_cast<std::size_t>(state)];
}

Alarm alarm_of(const Record& record) {
  return {record.planned.backend, to_string(record.planned.c), outcome_text(record), record.reason};
}

bool is_kill(const Record& record) {
  constexpr std::array harmless{Verdict::pass, Verdict::vacuous, Verdict::unsupported,
                                Verdict::not_run};
  return std::find(harmless.begin(), harmless.end(), record.verdict) == harmless.end();
}

KillMatrix build_kill_matrix(Lanes& lanes, const std::vector<Case>& cases,
                             const std::vector<MutantInfo>& mutants,
                             const KillMatrixOptions& options) {
  return Builder(lanes, mutants, options).build(cases);
}

}  // namespace fathom
