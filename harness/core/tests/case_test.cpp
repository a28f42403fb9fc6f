// SPDX-License-Identifier: Apache-2.0
#include "harness/core/case.h"

#include "harness/core/tests/message.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace fathom {
namespace {

constexpr std::string_view text =
    "dir=fwd dtype=f32 layout=bshd hq=2 hkv=1 d=64 dv=64 seqs=128 mask=causal(top_left) "
    "fill=outlier seed=7";

std::string why_bad(std::string_view extra, std::string_view base = text) {
  return message_of<DataError>([&] { parse_case(std::string(base) + std::string(extra)); });
}

TEST(CaseTest, TextIsTheProblemsWithFillAndSeed) {
  const Case c = parse_case(text);
  EXPECT_EQ(c.fill, Fill::outlier);
  EXPECT_EQ(c.seed, 7U);
  EXPECT_EQ(to_string(c), text);
}

TEST(CaseTest, FillAndSeedHaveDefaults) {
  const Case c = parse_case(text.substr(0, text.find(" fill=")));
  EXPECT_EQ(c.fill, Fill::normal);
  EXPECT_EQ(c.seed, 1U);
}

TEST(CaseTest, SeedsUseAll64Bits) {
  const std::string longest(text.substr(0, text.find("seed=")));
  EXPECT_EQ(parse_case(longest + "seed=18446744073709551615").seed,
            std::numeric_limits<std::uint64_t>::max());
  for (const auto* bad : {"seed=18446744073709551616", "seed=-1", "seed=", "seed=1.0"}) {
    EXPECT_TRUE(contains(why_bad(bad, longest), "it must be a whole number, 0 to 2^64 - 1"));
  }
}

TEST(CaseTest, BadFieldsGetOneSentence) {
  EXPECT_EQ(why_bad(" seed=7"), "field 'seed' is given twice");
  EXPECT_EQ(why_bad(" fill=flat"), "field 'fill' is given twice");
  EXPECT_EQ(why_bad(" hq=2"), "field 'hq' is given twice");
  EXPECT_EQ(why_bad(" dtyp=f32"), "unknown field 'dtyp' (did you mean 'dtype'?)");
  EXPECT_EQ(why_bad("fill=outliers", text.substr(0, text.find("fill="))),
            "fill 'outliers' is unknown (did you mean 'outlier'?)");
  EXPECT_EQ(why_bad("", "fill=flat"), "field 'dir' is missing");
}

TEST(CaseTest, SuiteTagsAndReasonAreNoPartOfTheName) {
  Case c = parse_case(text);
  const std::string id = case_id("eigen", c);
  c.suite = "smoke";
  c.tags = {"nightly"};
  c.why = "because";
  EXPECT_EQ(to_string(c), text);
  EXPECT_EQ(case_id("eigen", c), id);
}

/// Journals and expectations of earlier runs hold these: a change here breaks resume and compare.
TEST(CaseTest, IdsAreStableAcrossMachinesAndVersions) {
  EXPECT_EQ(case_id("eigen", parse_case(text)), "036629ea1a");
  EXPECT_EQ(case_id("sdpa:math/loop+dense_mask", parse_case(text)), "ac7f780da4");
  Case other = parse_case(text);
  other.seed = 8;
  EXPECT_EQ(case_id("eigen", other), "389e3fdd5b");
}

TEST(CaseTest, IdsOfNeighbouringSeedsShareNothing) {
  Case c = parse_case(text);
  std::set<std::string> ids;
  std::set<std::string> heads;
  std::set<std::string> tails;
  for (c.seed = 0; c.seed < 1000; ++c.seed) {
    const std::string id = case_id("eigen", c);
    ids.insert(id);
    heads.insert(id.substr(0, 5));
    tails.insert(id.substr(5));
  }
  EXPECT_EQ(ids.size(), 1000U);
  EXPECT_GT(heads.size(), 990U);
  EXPECT_GT(tails.size(), 990U);
}

TEST(CaseTest, FillsAreATableInTheOrderOfTheEnumeration) {
  for (std::size_t i = 0; i < fills.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(fills[i].fill), i);
    EXPECT_EQ(parse_fill(fills[i].name), fills[i].fill);
    EXPECT_FALSE(fills[i].meaning.empty());
  }
  EXPECT_EQ(fills.size(), 13U);
  EXPECT_EQ(parse_fill("gaussian"), std::nullopt);
}

}  // namespace
}  // namespace fathom
