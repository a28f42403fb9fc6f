// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/torch_choice.h"

#include <ATen/Context.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

namespace fathom::sdpa {
namespace {

Operands operands(Index queries, Index keys, Index value_dim) {
  Operands o;
  o.query = at::ones({1, 2, queries, 8});
  o.key = at::ones({1, 2, keys, 8});
  o.value = at::ones({1, 2, keys, value_dim});
  return o;
}

TEST(TorchChoiceTest, TorchHasNothingAgainstPlainAttention) {
  EXPECT_EQ(why_torch_refuses("sdpa:flash", operands(4, 4, 8)), std::nullopt);
}

TEST(TorchChoiceTest, ARefusalIsInTorchsWords) {
  const auto reason = why_torch_refuses("sdpa:flash", operands(4, 4, 16));
  ASSERT_TRUE(reason);
  EXPECT_NE(reason->find("Flash"), std::string::npos) << *reason;
  EXPECT_EQ(reason->find("not used because"), std::string::npos) << *reason;
}

TEST(TorchChoiceTest, EmptyKeysAreRefusedByTorchThoughTheRawOpTakesThem) {
  const auto reason = why_torch_refuses("sdpa:flash", operands(4, 0, 8));
  ASSERT_TRUE(reason);
  EXPECT_NE(reason->find("zero seq_len"), std::string::npos) << *reason;
}

TEST(TorchChoiceTest, LeavesTorchsSwitchesAsTheyWere) {
  at::globalContext().setSDPUseMath(false);
  (void)why_torch_refuses("sdpa:flash", operands(4, 4, 16));
  EXPECT_FALSE(at::globalContext().userEnabledMathSDP());
  EXPECT_TRUE(at::globalContext().userEnabledMemEfficientSDP());
  at::globalContext().setSDPUseMath(true);
}

}  // namespace
}  // namespace fathom::sdpa
