// SPDX-License-Identifier: Apache-2.0
#include "harness/core/cost.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(CostTest, FlopsFollowTheExactPairCount) {
  const Cost cost = cost_of(parse_problem(
      "dir=fwd+bwd dtype=bf16 layout=bshd hq=8 hkv=2 d=16 dv=4 seqs=2*100 mask=causal"));
  EXPECT_EQ(cost.visible_pairs, 2 * 5050);
  EXPECT_EQ(cost.flops_forward, 2.0 * 10100 * (16 + 4) * 8);
  EXPECT_EQ(cost.flops_backward, 2.0 * 10100 * (3 * 16 + 2 * 4) * 8);
}

TEST(CostTest, BytesAreEveryTensorOnceInItsOwnWidth) {
  const Cost cost = cost_of(parse_problem(
      "dir=fwd+bwd dtype=bf16 layout=thd hq=8 hkv=2 d=16 dv=4 seqs=10x7,5 mask=full lse=no"));
  const double q = 15 * 8 * 16 * 2;
  const double k = 12 * 2 * 16 * 2;
  const double v = 12 * 2 * 4 * 2;
  const double o = 15 * 8 * 4 * 2;
  const double lse = 15 * 8 * 4;
  EXPECT_EQ(cost.bytes_forward, q + k + v + o + lse);
  EXPECT_EQ(cost.bytes_backward, (q + k + v + o + o + lse) + (q + k + v));
}

TEST(CostTest, AnLseCotangentIsReadToo) {
  const auto bytes = [](std::string_view extra) {
    return cost_of(parse_problem("dir=fwd+bwd dtype=f16 layout=bshd hq=3 hkv=3 d=8 dv=8 seqs=11 "
                                 "mask=full" +
                                 std::string(extra)))
        .bytes_backward;
  };
  EXPECT_EQ(bytes(" dlse=true") - bytes(""), 3 * 11 * 4);
}

TEST(CostTest, AForwardProblemHasNoBackwardCost) {
  const Cost cost =
      cost_of(parse_problem("dir=fwd dtype=f32 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=9 mask=full"));
  EXPECT_GT(cost.flops_forward, 0);
  EXPECT_EQ(cost.flops_backward, 0);
  EXPECT_EQ(cost.bytes_backward, 0);
}

TEST(CostTest, EmptyRowsAreThoseThatSeeNoKey) {
  Problem p = parse_problem(
      "dir=fwd dtype=f32 layout=thd hq=1 hkv=1 d=8 dv=8 seqs=5x2,4x0,0x4,3 mask=causal");
  EXPECT_EQ(empty_rows(p), 3 + 4);
  p.mask = parse_mask("window(0,0)&document(1)");
  EXPECT_EQ(empty_rows(p), 3 + 4);
}

}  // namespace
}  // namespace fathom
