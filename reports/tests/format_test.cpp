// SPDX-License-Identifier: Apache-2.0
#include "reports/format.h"

#include "reports/escape.h"
#include "reports/text_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fathom {
namespace {

TEST(FormatTest, PicksTheUnitThatFits) {
  EXPECT_EQ(format_time(0), "0 ns");
  EXPECT_EQ(format_time(1234), "1.23 us");
  EXPECT_EQ(format_time(83.4e9), "83.4 s");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_flops(4.2e11), "420 GFLOP/s");
  EXPECT_EQ(format_traffic(999), "999 B/s");
}

TEST(FormatTest, SaysNonFiniteNumbersAsTheyAre) {
  EXPECT_EQ(format_time(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(format_number(std::nan("")), "nan");
  EXPECT_EQ(format_number(std::optional<double>()), "–");
}

TEST(FormatTest, GroupsThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(-1234567), "-1,234,567");
}

TEST(FormatTest, ATableKeepsItsWidthAndItsColumns) {
  TextTable table({{"name"}, {"n", TextTable::Align::right}, {"text"}});
  table.add({"✓ one", "1", "a text that is too long for the line it is on"});
  table.add({"three", "1000", "short"});
  const std::string text = table.text("  ", 40);
  EXPECT_EQ(text.substr(0, text.find('\n')), "  name      n  text");
  std::size_t start = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    EXPECT_LE(display_width(text.substr(start, end - start)), 40U);
    start = end + 1;
  }
  EXPECT_NE(text.find("  three  1000  short\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n               for the line it is on\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace fathom
