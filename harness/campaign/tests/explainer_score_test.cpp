// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/explainer_score.h"

#include "harness/codec/json.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

const std::vector<MutantInfo> one_mutant{{"a", "what", "", "forward", "tile|rows"}};

KillMatrix said_of_a(const std::vector<Axis>& named) {
  Cell cell;
  cell.mutant = "a";
  cell.state = CellState::killed;
  for (const Axis axis : named) {
    cell.explanations["case " + std::to_string(cell.explanations.size())] = {
        axis, "o", "", "O is wrong as " + std::string(to_string(axis)) + ".", "A cause."};
  }
  KillMatrix matrix;
  matrix.cells = {cell};
  return matrix;
}

TEST(ExplainerScoreTest, ANameIsRightUnclearOrWrong) {
  const KillMatrix matrix =
      said_of_a({Axis::tile, Axis::rows, Axis::tile, Axis::unclear, Axis::unclear, Axis::key});
  const ExplainerScore score = score_explainer(matrix, one_mutant);
  EXPECT_EQ(score.right, 3);
  EXPECT_EQ(score.unclear, 2);
  EXPECT_EQ(score.misnamed.size(), 1U);
  EXPECT_EQ(score.mutants_right, 1);
  EXPECT_EQ(score.mutants_wrong, 0);
  EXPECT_EQ(score.misses.at("a"), "key x 1, unclear x 2; right x 3 (want tile|rows)");
}

TEST(ExplainerScoreTest, EveryMisnamedCaseIsListedWithWhatWasSaid) {
  const ExplainerScore score =
      score_explainer(said_of_a({Axis::tile, Axis::key, Axis::factor}), one_mutant);
  EXPECT_EQ(score.mutants_wrong, 1);
  const OrderedJson json = to_json(score);
  ASSERT_EQ(json["misnamed"].size(), 2U);
  EXPECT_EQ(json["misnamed"][0]["mutant"], "a");
  EXPECT_EQ(json["misnamed"][0]["case"], "case 1");
  EXPECT_EQ(json["misnamed"][0]["want"], "tile|rows");
  EXPECT_EQ(json["misnamed"][0]["axis"], "key");
  EXPECT_EQ(json["misnamed"][0]["sentence"], "O is wrong as key.");
  EXPECT_NE(explainer_text(score).find("a: factor (want tile|rows) on case 2"), std::string::npos);
}

TEST(ExplainerScoreTest, TheConsoleShowsTheFirstMisnamedCases) {
  const ExplainerScore score =
      score_explainer(said_of_a(std::vector<Axis>(12, Axis::key)), one_mutant);
  const std::string text = explainer_text(score);
  EXPECT_NE(text.find("MISNAMED (12)"), std::string::npos);
  EXPECT_NE(text.find("and 2 more"), std::string::npos);
  EXPECT_EQ(explainer_text({}), "");
}

}  // namespace
}  // namespace fathom
