// SPDX-License-Identifier: Apache-2.0
#include "reports/page_data.h"

#include "reports/tests/fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace fathom {
namespace {

using nlohmann::json;

std::vector<json> lines_of(const std::string& details) {
  std::vector<json> lines;
  std::size_t start = 0;
  for (std::size_t end = details.find('\n'); end != std::string::npos;
       end = details.find('\n', start)) {
    lines.push_back(json::parse(details.substr(start, end - start)));
    start = end + 1;
  }
  return lines;
}

TEST(PageDataTest, EveryColumnHasARowPerRecord) {
  const Report report = every_verdict_report();
  const json table = json::parse(page_data(report).table);
  const std::size_t rows = report.records.size();
  for (const char* key : {"text", "outcome", "kind", "backend"}) {
    EXPECT_EQ(table[key]["codes"].size(), rows) << key;
  }
  for (const json& field : table["fields"]) {
    if (field.contains("texts")) {
      EXPECT_EQ(field["texts"]["codes"].size(), rows);
    }
    if (field.contains("numbers")) {
      EXPECT_EQ(field["numbers"].size(), rows);
    }
  }
  EXPECT_LT(table["text"]["values"].size(), rows);  // The same case on several backends, once.
}

TEST(PageDataTest, DetailLinesBelongToTheirRows) {
  const Report report = every_verdict_report();
  const PageData data = page_data(report);
  const json table = json::parse(data.table);
  const auto lines = lines_of(data.details);
  ASSERT_EQ(lines.size(), report.records.size());
  for (std::size_t i = 0; i < report.records.size(); ++i) {
    const auto line = table["detail_line"][i].get<std::size_t>();
    EXPECT_EQ(lines.at(line)["planned"]["id"], report.records[i].planned.id);
  }
}

TEST(PageDataTest, FailuresKeepTheirDetailsWhenRoomIsShort) {
  const Report report = large_report(600);
  const PageData data = page_data(report, 1U << 20);
  EXPECT_LE(data.details.size(), 1U << 20);
  const json table = json::parse(data.table);
  Index passes = 0;
  for (std::size_t i = 0; i < report.records.size(); ++i) {
    const bool kept = table["detail_line"][i].get<int>() >= 0;
    if (report.records[i].verdict != Verdict::pass) {
      EXPECT_TRUE(kept) << i;
    } else {
      passes += kept ? 1 : 0;
    }
  }
  EXPECT_GT(passes, 0);
  EXPECT_LT(passes, 500);
}

TEST(PageDataTest, NumbersWithoutAWordInJsonTravelAsWords) {
  const json table = json::parse(page_data(every_verdict_report()).table);
  const auto field = std::find_if(table["fields"].begin(), table["fields"].end(),
                                  [](const json& f) { return f["name"] == "err_tol"; });
  EXPECT_NE(std::find(field->at("numbers").begin(), field->at("numbers").end(), "inf"),
            field->at("numbers").end());
}

}  // namespace
}  // namespace fathom
