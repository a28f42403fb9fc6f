// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/explainer_score.h"

#include "harness/codec/fields.h"
#include "harness/core/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom {
namespace {

/// What was said of one mutant, over all its cells.
struct MutantScore {
  Index right = 0;
  Index unclear = 0;
  std::vector<Misnaming> misnamed;
  std::map<std::string, Index> misses;  ///< Axis that is not right -> Cases.

  [[nodiscard]] Index wrong() const { return std::ssize(misnamed); }
  [[nodiscard]] bool empty() const { return right + unclear + wrong() == 0; }
};

MutantScore score_of(const KillMatrix& matrix, const MutantInfo& mutant) {
  const std::vector<std::string_view> accepted = split(mutant.axis, '|');
  MutantScore score;
  for (const Cell& cell : matrix.cells) {
    if (cell.mutant != mutant.name) continue;
    for (const auto& [text, said] : cell.explanations) {
      const std::string axis(to_string(said.axis));
      if (std::find(accepted.begin(), accepted.end(), axis) != accepted.end()) {
        ++score.right;
        continue;
      }
      ++score.misses[axis];
      if (said.axis == Axis::unclear) {
        ++score.unclear;
      } else {
        score.misnamed.push_back({mutant.name, text, mutant.axis, said});
      }
    }
  }
  return score;
}

std::string misses_text(const MutantScore& score, const MutantInfo& mutant) {
  std::string text;
  for (const auto& [axis, count] : score.misses) {
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", axis, count);
  }
  return fmt::format("{}; right x {} (want {})", text, score.right, mutant.axis);
}

}  // namespace

ExplainerScore score_explainer(const KillMatrix& matrix, const std::vector<MutantInfo>& mutants) {
  ExplainerScore score;
  for (const MutantInfo& mutant : mutants) {
    const MutantScore one = score_of(matrix, mutant);
    if (one.empty()) continue;
    ++score.mutants;
    score.right += one.right;
    score.unclear += one.unclear;
    score.mutants_right += one.right > one.wrong() ? 1 : 0;
    score.mutants_wrong += one.wrong() > 0 && one.wrong() >= one.right ? 1 : 0;
    score.misnamed.insert(score.misnamed.end(), one.misnamed.begin(), one.misnamed.end());
    if (!one.misses.empty()) score.misses[mutant.name] = misses_text(one, mutant);
  }
  return score;
}

std::string explainer_text(const ExplainerScore& score) {
  if (score.mutants == 0) return "";
  std::string text = fmt::format(
      "explained: {} of {} mutants rightly, {} wrongly; {} cases rightly, {} unclear, {} wrongly\n",
      score.mutants_right, score.mutants, score.mutants_wrong, score.right, score.unclear,
      score.misnamed.size());
  for (const auto& [mutant, miss] : score.misses) {
    text += fmt::format("  {:<28} {}\n", mutant, miss);
  }
  if (score.misnamed.empty()) return text;
  constexpr std::size_t shown = 10;
  text += fmt::format("\nMISNAMED ({}):\n", score.misnamed.size());
  for (std::size_t i = 0; i < std::min(shown, score.misnamed.size()); ++i) {
    const Misnaming& m = score.misnamed[i];
    text += fmt::format("  {}: {} (want {}) on {}\n    {}\n", m.mutant, to_string(m.said.axis),
                        m.want, m.text, m.said.sentence);
  }
  if (score.misnamed.size() > shown) {
    text += fmt::format("  and {} more\n", score.misnamed.size() - shown);
  }
  return text;
}

OrderedJson to_json(const ExplainerScore& score) {
  OrderedJson misnamed = OrderedJson::array();
  for (const Misnaming& m : score.misnamed) {
    misnamed.push_back({{"mutant", m.mutant},
                        {"case", m.text},
                        {"want", m.want},
                        {"axis", to_string(m.said.axis)},
                        {"sentence", m.said.sentence},
                        {"cause", m.said.cause}});
  }
  return {{"mutants", score.mutants},
          {"mutants_right", score.mutants_right},
          {"mutants_wrong", score.mutants_wrong},
          {"right", score.right},
          {"unclear", score.unclear},
          {"wrong", score.misnamed.size()},
          {"misses", score.misses},
          {"misnamed", misnamed}};
}

}  // namespace fathom
