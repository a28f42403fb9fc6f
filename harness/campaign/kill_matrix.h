// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/campaign/lanes.h"
#include "harness/campaign/mutant_table.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace fathom {

/// What became of one mutant in one dtype at one key length.
enum class CellState : std::uint8_t {
  survived,
  killed,      ///< Some Case fails the mutant and passes its honest twin.
  equivalent,  ///< Every Case gave the bits of the honest twin: nothing to find.
};
std::string_view to_string(CellState state);

struct Cell {
  std::string mutant;
  std::string pass;  ///< forward or backward.
  std::string dtype;
  Index key_length = 0;  ///< Longest of the Case; 0 if cells are not by length.
  CellState state = CellState::equivalent;
  std::string killed_by;                                ///< Text of the first Case that did.
  std::map<std::string, std::set<std::string>> checks;  ///< Case -> the Checks that failed there.
  std::map<std::string, Explanation> explanations;      ///< Case -> what the explainer said of it.
  std::map<std::string, std::set<std::string>> peers;   ///< Case -> peer rules that failed there.
};

/// A clean Case that an honest backend did not pass.
struct Alarm {
  std::string backend;
  std::string text;
  std::string outcome;
  std::string reason;
};

struct KillMatrix {
  std::vector<Cell> cells;
  std::vector<Alarm> alarms;      ///< The honest twin fails.
  std::vector<Alarm> powerless;   ///< The honest twin is refused, or an all-zero answer passes.
  std::vector<std::string> idle;  ///< Cases that failed no mutant. Known after a full run only.
  std::map<std::string, std::set<std::string>>
      peers_of_twin;  ///< Case -> rules that fail the twin.
  std::size_t twin_cases = 0;
};

struct KillMatrixOptions {
  bool by_key_length = true;  ///< A cell for every key length; else one for all of them.
  bool full = false;          ///< Every mutant on every Case; else a cell ends with its first kill.
  std::function<void(std::size_t done, std::size_t cases, std::size_t alive)> on_case;
};

/// Puts every Case to the honest twin, then to the mutants that are still alive in its cell.
KillMatrix build_kill_matrix(Lanes& lanes, const std::vector<Case>& cases,
                             const std::vector<MutantInfo>& mutants,
                             const KillMatrixOptions& options);

/// The Record of a clean Case that did not pass, in short.
Alarm alarm_of(const Record& record);

/// Whether a verdict says that something is wrong. `vacuous`, `unsupported` and `not_run` do not.
bool is_kill(const Record& record);

}  // namespace fathom
