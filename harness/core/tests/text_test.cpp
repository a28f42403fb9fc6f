// SPDX-License-Identifier: Apache-2.0
#include "harness/core/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fathom {
namespace {

using Parts = std::vector<std::string_view>;

TEST(TextTest, SplitKeepsEmptyParts) {
  EXPECT_EQ(split("", ','), Parts({""}));
  EXPECT_EQ(split("a,,b,", ','), Parts({"a", "", "b", ""}));
}

TEST(TextTest, JoinIsTheInverseOfSplitEvenWithAnEmptyFirstPart) {
  const std::vector<std::string> parts{"", "a", "", "b"};
  EXPECT_EQ(join(parts, ","), ",a,,b");
  EXPECT_EQ(join({}, ","), "");
}

TEST(TextTest, TrimTakesBlanksOffBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(TextTest, ParseIndexTakesWholeNumbersOnly) {
  EXPECT_EQ(parse_index("-9223372036854775808"), std::numeric_limits<Index>::min());
  EXPECT_EQ(parse_index("9223372036854775807"), std::numeric_limits<Index>::max());
  for (const auto* bad : {"", "9223372036854775808", "1.5", "1e3", "+1", " 1", "1 ", "0x10"}) {
    EXPECT_EQ(parse_index(bad), std::nullopt) << bad;
  }
}

TEST(TextTest, ParseDoubleTakesFiniteNumbersOnly) {
  EXPECT_EQ(parse_double("-1.5e-3"), -1.5e-3);
  for (const auto* bad : {"", "inf", "nan", "1e999", "1,5", "1.5x"}) {
    EXPECT_EQ(parse_double(bad), std::nullopt) << bad;
  }
}

TEST(TextTest, ToTextIsShortAndReadsBackAsTheSameNumber) {
  EXPECT_EQ(to_text(0.125), "0.125");
  EXPECT_EQ(to_text(1e-05), "1e-05");
  EXPECT_EQ(to_text(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(to_text(std::numeric_limits<double>::quiet_NaN()), "nan");
  for (const double x : {0.1, 1.0 / 3, std::numeric_limits<double>::denorm_min(),
                         std::numeric_limits<double>::max(), -0.0}) {
    EXPECT_EQ(parse_double(to_text(x)), x);
  }
}

TEST(TextTest, DidYouMeanNamesTheNearestWordAndOnlyIfItIsNear) {
  const std::vector<std::string_view> words{"causal", "window", "prefix_lm", "hq", "d"};
  EXPECT_EQ(did_you_mean("causel", words), " (did you mean 'causal'?)");
  EXPECT_EQ(did_you_mean("prefixlm", words), " (did you mean 'prefix_lm'?)");
  EXPECT_EQ(did_you_mean("hk", words), " (did you mean 'hq'?)");
  for (const auto* far : {"", "x", "zz", "sliding", "document_mask"}) {
    EXPECT_EQ(did_you_mean(far, words), "") << far;
  }
  EXPECT_EQ(did_you_mean("causal", {}), "");
}

}  // namespace
}  // namespace fathom
