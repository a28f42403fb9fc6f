// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/contract.h"

#include "harness/checks/tests/synthetic.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

using Names = std::set<std::string>;

TEST(ContractTest, AMutatedInputFails) {
  Observation observation = Synthetic(small_case("full")).observation();
  EXPECT_EQ(run_all(observation), Names{});
  observation.mutated_inputs = {"q"};
  EXPECT_EQ(run_all(observation), Names{"q:contract.mutated_input"});
  EXPECT_EQ(judge(observation).fail_class, FailClass::contract);
}

TEST(ContractTest, ARequiredLseMustBeGiven) {
  Case c = small_case("full");
  for (const LseRequest request : {LseRequest::required, LseRequest::wanted}) {
    c.problem.lse = request;
    Observation observation = Synthetic(c).observation();
    observation.outputs.at(TensorName::lse) = {};
    observation.outputs.at(TensorName::lse).transport = Transport::not_given;
    const bool fails = request == LseRequest::required;
    EXPECT_EQ(run_all(observation), fails ? Names{"lse:contract.not_given"} : Names{});
    EXPECT_EQ(judge(observation).verdict, fails ? Verdict::fail : Verdict::pass);
  }
}

TEST(ContractTest, OutputsAndGradientsMustBeGiven) {
  for (const TensorName name : {TensorName::o, TensorName::dq, TensorName::dk, TensorName::dv}) {
    Observation observation = Synthetic(small_case("full")).observation();
    observation.outputs.at(name).transport = Transport::not_given;
    const Names expected{std::string(to_string(name)) + ":contract.not_given"};
    EXPECT_EQ(run_all(observation), expected);
    observation.outputs.erase(name);
    EXPECT_EQ(run_all(observation), expected);
  }
}

}  // namespace
}  // namespace fathom
