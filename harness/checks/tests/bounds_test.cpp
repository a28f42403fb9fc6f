// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/bounds.h"

#include "harness/checks/tests/synthetic.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

using Names = std::set<std::string>;

TEST(BoundsTest, AScribbledGuardIsOutOfBounds) {
  for (const Transport transport : {Transport::in_place, Transport::copied}) {
    Synthetic s(small_case("full"));
    s.transport = transport;
    Observation observation = s.observation();
    EXPECT_EQ(run_all(observation), Names{});
    observation.outputs.at(TensorName::dk).guard_damage = "after dk, 12 bytes from its end";
    EXPECT_EQ(run_all(observation), Names{"dk:bounds.guard"});
    const Judgement judgement = judge(observation);
    EXPECT_EQ(judgement.verdict, Verdict::fail);
    EXPECT_EQ(judgement.fail_class, FailClass::out_of_bounds);
    EXPECT_NE(judgement.reason.find("12 bytes from its end"), std::string::npos);
  }
}

TEST(BoundsTest, AnUnwrittenElementIsNamed) {
  Observation observation = Synthetic(small_case("full")).observation();
  observation.outputs.at(TensorName::o).unwritten = 3;
  observation.outputs.at(TensorName::o).unwritten_sample = {8 * 5 + 2, 8 * 5 + 3};
  EXPECT_EQ(run_all(observation), Names{"o:bounds.unwritten"});
  const Judgement judgement = judge(observation);
  EXPECT_EQ(judgement.fail_class, FailClass::out_of_bounds);
  EXPECT_NE(judgement.reason.find("3 of 128 elements"), std::string::npos) << judgement.reason;
  EXPECT_NE(judgement.reason.find("row 5, channel 2"), std::string::npos) << judgement.reason;
}

TEST(BoundsTest, UnwrittenElementsOfACopyAreUnknown) {
  Synthetic s(small_case("full"));
  s.transport = Transport::copied;
  Observation observation = s.observation();
  observation.outputs.at(TensorName::o).unwritten = 3;
  EXPECT_EQ(run_all(observation), Names{});
}

}  // namespace
}  // namespace fathom
