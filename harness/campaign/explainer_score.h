// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/campaign/kill_matrix.h"
#include "harness/codec/parse.h"

#include <map>
#include <string>
#include <vector>

namespace fathom {

/// A killing Case for which the explainer named an axis that is not right for the mutant.
struct Misnaming {
  std::string mutant;
  std::string text;
  std::string want;  ///< Axes of the mutants' table, by `|`.
  Explanation said;
};

/// How well the explainer named the axes of the mutants' table, over the Cases that killed.
struct ExplainerScore {
  Index right = 0;  ///< Cases
  Index unclear = 0;
  Index mutants = 0;        ///< That some Case explained, or could not.
  Index mutants_right = 0;  ///< Named rightly more often than wrongly.
  Index mutants_wrong = 0;  ///< Named wrongly at least as often as rightly, and at least once.
  std::map<std::string, std::string> misses;  ///< Mutant -> `tile x 3, unclear x 1 (want key)`.
  std::vector<Misnaming> misnamed;            ///< Every Case that was named wrongly.
};
ExplainerScore score_explainer(const KillMatrix& matrix, const std::vector<MutantInfo>& mutants);

/// For people: the counts, and the first of the misnamed Cases. Empty if nothing was explained.
std::string explainer_text(const ExplainerScore& score);

/// The counts, and every misnamed Case with what was said of it.
OrderedJson to_json(const ExplainerScore& score);

}  // namespace fathom
