// SPDX-License-Identifier: Apache-2.0
#include "reports/escape.h"
#include "reports/summary.h"
#include "reports/tests/fixture.h"
#include "reports/text_table.h"
#include "reports/writers.h"

#include <gtest/gtest.h>

#include <sstream>

namespace fathom {
namespace {

TEST(ConsoleTest, TheSummaryEndsWithTheHeadline) {
  for (const Report& report : {every_verdict_report(), large_report(10), Report{}}) {
    EXPECT_TRUE(console_summary(report, false).ends_with("\n\n" + wrapped(headline(report), "")));
  }
}

TEST(ConsoleTest, LinesFitAHundredColumns) {
  std::istringstream text(console_summary(large_report(400), false));
  std::string line;
  while (std::getline(text, line)) EXPECT_LE(display_width(line), 100U) << line;
}

TEST(ConsoleTest, ColourIsAddedToTheSameText) {
  const Report report = every_verdict_report();
  std::string coloured = console_summary(report, true);
  for (std::size_t at = coloured.find('\x1b'); at != std::string::npos;
       at = coloured.find('\x1b', at)) {
    coloured.erase(at, coloured.find('m', at) + 1 - at);
  }
  EXPECT_EQ(coloured, console_summary(report, false));
}

TEST(ConsoleTest, ManyFailuresAreCountedNotListed) {
  const Report report = large_report(41 * 30);
  const std::string text = console_summary(report, false);
  const std::string rest = "... " + std::to_string(failures(report).size() - 20) + " more";
  EXPECT_NE(text.find(rest), std::string::npos) << text;
}

}  // namespace
}  // namespace fathom
