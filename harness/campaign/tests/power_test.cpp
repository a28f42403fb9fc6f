// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/power.h"

#include "harness/campaign/selftest.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

Cell cell(std::string mutant, CellState state,
          std::map<std::string, std::set<std::string>> checks) {
  Cell c;
  c.mutant = std::move(mutant);
  c.pass = "forward";
  c.dtype = "bf16";
  c.key_length = 193;
  c.state = state;
  c.checks = std::move(checks);
  return c;
}

TEST(RateTest, HasTheIntervalOfClopperAndPearson) {
  const Rate most = rate_of(36, 39);
  EXPECT_NEAR(most.low, 0.791, 5e-4);
  EXPECT_NEAR(most.high, 0.984, 5e-4);
  const Rate all = rate_of(39, 39);
  EXPECT_NEAR(all.low, 0.910, 5e-4);
  EXPECT_EQ(all.high, 1);
  const Rate none = rate_of(0, 10);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.3085, 5e-4);
}

TEST(PowerTest, CountsOnlyCellsThatDifferFromTheTwin) {
  KillMatrix matrix;
  matrix.cells = {cell("a", CellState::killed, {{"case 1", {"lse", "accuracy.z_max"}}}),
                  cell("b", CellState::survived, {}), cell("c", CellState::equivalent, {}),
                  cell("d", CellState::killed, {{"case 1", {"lse"}}, {"case 2", {"lse"}}})};
  const Power power = power_of(matrix);
  EXPECT_EQ(power.all.killed, 2);
  EXPECT_EQ(power.all.of, 3);
  EXPECT_EQ(power.equivalent, 1);
  EXPECT_EQ(power.survivors, std::vector<std::string>{"b bf16 n_k=193"});
  EXPECT_EQ(power.dead, std::vector<std::string>{"c"});
  EXPECT_EQ(power.fragile, std::vector<std::string>{"d (lse)"});
  EXPECT_EQ(power.kills.at("lse"), 2);
  EXPECT_EQ(power.alone.at("lse"), 1);
  EXPECT_FALSE(power.alone.contains("accuracy.z_max"));
}

TEST(PowerTest, ASurvivorADeadMutantAMisnamingOrAnAlarmFailsTheSelftest) {
  Selftest good;
  good.matrix.cells = {cell("a", CellState::killed, {{"case", {"lse"}}})};
  good.power = power_of(good.matrix);
  EXPECT_EQ(exit_code(good), 0);

  Selftest survivor = good;
  survivor.matrix.cells.push_back(cell("b", CellState::survived, {}));
  survivor.power = power_of(survivor.matrix);
  EXPECT_EQ(exit_code(survivor), 1);
  EXPECT_NE(summary_text(survivor).find("b bf16 n_k=193"), std::string::npos);

  Selftest dead = good;
  dead.matrix.cells.push_back(cell("c", CellState::equivalent, {}));
  dead.power = power_of(dead.matrix);
  EXPECT_EQ(exit_code(dead), 1);

  Selftest misnamed = good;
  misnamed.explainer.misnamed.push_back({"a", "case", "key", {}});
  EXPECT_EQ(exit_code(misnamed), 1);

  Selftest alarm = good;
  alarm.clean.push_back({1, {{"eigen", 10}}, {}, {{"eigen", "dir=fwd", "fail(accuracy)", "why"}}});
  EXPECT_EQ(exit_code(alarm), 1);
  EXPECT_EQ(to_json(alarm)["alarms"].size(), 1U);
  EXPECT_EQ(to_json(alarm)["clean_cases"], 10);

  EXPECT_EQ(exit_code(Selftest{}), 1) << "nothing was killed because nothing ran";
}

}  // namespace
}  // namespace fathom
