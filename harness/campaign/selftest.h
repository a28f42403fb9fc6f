// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/campaign/clean_cases.h"
#include "harness/campaign/explainer_score.h"
#include "harness/campaign/kill_matrix.h"
#include "harness/campaign/peer_power.h"
#include "harness/campaign/power.h"
#include "harness/codec/parse.h"

#include <string>
#include <vector>

namespace fathom {

/// Everything one selftest found out: whether the Checks and Probes see planted bugs, and whether
/// they cry out where there is none.
struct Selftest {
  std::string suite;
  std::string suite_hash;  ///< Of the texts of its Cases, in any order.
  bool full = false;
  double duration_s = 0;
  std::vector<MutantInfo> mutants;
  KillMatrix matrix;
  Power power;
  ExplainerScore explainer;
  std::vector<CleanRun> clean;
  std::vector<PeerPower> peers;  ///< If they were asked.
};

/// 0 if every cell is killed or equivalent, no mutant is dead, the explainer named none wrongly,
/// and nobody cried out; else 1.
int exit_code(const Selftest& selftest);

/// For people: rates by group, survivors, dead and fragile mutants, checks, alarms.
std::string summary_text(const Selftest& selftest);

/// cells, killed, survivors, clean_cases, alarms, and every cell.
OrderedJson to_json(const Selftest& selftest);

}  // namespace fathom
