// SPDX-License-Identifier: Apache-2.0
// Hostile names in every sink. The browser test opens the page; here its text is held to the rules
// that keep a page inert.
#include "reports/html_report.h"
#include "reports/json_report.h"
#include "reports/markdown.h"
#include "reports/tests/fixture.h"
#include "reports/writers.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace fathom {
namespace {

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

/// What may act on a terminal, or reorder or split a line.
void expect_no_acting_characters(const std::string& text) {
  for (const char* acting :
       {"\x1b", "\xC2\x9B", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x80\xA8", "\r", "\x07"}) {
    EXPECT_EQ(text.find(acting), std::string::npos) << "0x" << std::hex << int(acting[0]);
  }
  EXPECT_EQ(text.find('\0'), std::string::npos);
}

TEST(HostileTest, ThePageHasTheElementsOfItsTemplateAndNoOther) {
  PageAssets assets = page_assets();
  assets.script = "1";
  assets.chart = "2";
  const std::string page = html_report(hostile_report(), assets);
  EXPECT_EQ(occurrences(page, "<script"), 4U);
  EXPECT_EQ(occurrences(page, "</script"), 4U);
  EXPECT_EQ(occurrences(page, "<!--"), 0U);
  EXPECT_EQ(occurrences(page, "<img"), 0U);
  EXPECT_EQ(occurrences(page, "href=\"javascript:"), 0U);
  EXPECT_NE(page.find("{{script}} {{data}}"), std::string::npos);  // Places in values stay text.
  expect_no_acting_characters(page);
}

TEST(HostileTest, ThePageForbidsWhatItDoesNotBring) {
  const std::string page = html_report(every_verdict_report());
  const PageAssets& assets = page_assets();
  EXPECT_NE(page.find("content=\"default-src 'none'; script-src '" +
                      std::string(assets.script_hash) + "'"),
            std::string::npos);
  EXPECT_EQ(occurrences(page, " style=\""), 0U);
  EXPECT_EQ(occurrences(page, "src=\""), 0U);
  EXPECT_EQ(occurrences(assets.script, "innerHTML"), 0U);
  EXPECT_LE(assets.style.size(), 25U << 10);
  EXPECT_LE(assets.script.size(), 90U << 10);
}

TEST(HostileTest, JsonIsPlainAsciiAndKeepsTheTexts) {
  const Report report = hostile_report();
  const std::string text = json_report(report);
  expect_no_acting_characters(text);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.at("run").at("suite"), report.suite);
  EXPECT_EQ(json.at("records").size(), report.records.size());
}

TEST(HostileTest, MarkdownHoldsNoMarkupAndEveryTableRowItsCells) {
  const std::string text = markdown_summary(hostile_report());
  expect_no_acting_characters(text);
  EXPECT_EQ(text.find("\n::error::"), std::string::npos);
  std::size_t start = 0;
  std::size_t cells = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    const std::string line = text.substr(start, end - start);
    start = end + 1;
    if (!line.starts_with("|")) {
      cells = 0;
      continue;
    }
    const std::size_t bars = occurrences(line, "|") - occurrences(line, "\\|");
    if (cells != 0) {
      EXPECT_EQ(bars, cells) << line;
    }
    cells = bars;
  }
}

TEST(HostileTest, MarkdownStaysBelowTheLimitHoweverMuchFails) {
  Report report = large_report(3000);
  for (Record& record : report.records) {
    record.verdict = Verdict::crash;
    record.reason = std::string(5000, 'x');
    report.stale.push_back({{std::string(500, 'y'), "crash", "", "", "", ""}, "f", "expired"});
  }
  const std::string text = markdown_summary(report);
  EXPECT_LE(text.size(), markdown_limit);
  EXPECT_NE(text.find("more\n"), std::string::npos);
}

TEST(HostileTest, ConsoleTextIsSpelledOut) {
  const Report report = hostile_report();
  expect_no_acting_characters(console_summary(report, false));
  for (const Record& record : report.records) {
    expect_no_acting_characters(console_record(record, false));
    expect_no_acting_characters(console_peers(record));
  }
}

}  // namespace
}  // namespace fathom
