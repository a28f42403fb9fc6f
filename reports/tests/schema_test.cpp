// SPDX-License-Identifier: Apache-2.0
#include "reports/json_report.h"
#include "reports/tests/fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <fstream>
#include <functional>

namespace fathom {
namespace {

using nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

/// What the published schema says against a report.json; empty if nothing.
std::string complaints(const json& report) {
  static const json text =
      json::parse(std::ifstream(FATHOM_SOURCE_DIR "/reports/schema/report.schema.json"));
  valijson::Schema schema;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(text), schema);
  valijson::ValidationResults results;
  valijson::Validator(valijson::Validator::kStrongTypes)
      .validate(schema, Adapter(report), &results);
  std::string all;
  for (const auto& error : results) {
    for (const std::string& step : error.context) all += step;
    all += ": " + error.description + "\n";
  }
  return all;
}

json report_json() {
  return json::parse(json_report(every_verdict_report()));
}

TEST(SchemaTest, HoldsForReports) {
  EXPECT_EQ(complaints(report_json()), "");
  EXPECT_EQ(complaints(json::parse(json_report(hostile_report()))), "");
  EXPECT_EQ(complaints(json::parse(json_report(large_report(60)))), "");
  EXPECT_EQ(complaints(json::parse(json_report(Report{}))), "");
}

TEST(SchemaTest, RejectsABrokenReport) {
  struct Damage {
    const char* what;
    std::function<void(json&)> apply;
  };
  const std::vector<Damage> damages{
      {"no summary", [](json& j) { j.erase("summary"); }},
      {"no headline", [](json& j) { j["summary"].erase("headline"); }},
      {"another version", [](json& j) { j["schema"] = 2; }},
      {"an exit code nobody defined", [](json& j) { j["summary"]["exit_code"] = 7; }},
      {"a verdict nobody defined", [](json& j) { j["records"][0]["verdict"] = "great"; }},
      {"an unknown key in a record", [](json& j) { j["records"][0]["extra"] = 1; }},
      {"an unknown word in a tally",
       [](json& j) { j["summary"]["cases"]["by_verdict"]["good"] = 1; }},
      {"a negative count", [](json& j) { j["summary"]["cases"]["total"] = -1; }},
      {"a histogram with a bucket missing",
       [](json& j) { j["records"][0]["tensors"][0]["ulp_hist"].erase(19); }},
      {"a number as text", [](json& j) { j["records"][0]["tensors"][0]["max_abs"] = "big"; }},
      {"a record without its case", [](json& j) { j["records"][0].erase("planned"); }},
      {"an unknown dtype",
       [](json& j) { j["records"][0]["planned"]["case"]["problem"]["dtype"] = "f8"; }},
      {"a latency without samples",
       [](json& j) { j["records"][0]["measurement"]["latency"][0].erase("samples_ns"); }},
      {"an expectation of the wrong type", [](json& j) { j["records"][0]["expectation"] = 3; }},
      {"an environment of numbers", [](json& j) { j["environment"]["cpu"] = 2; }},
  };
  for (const Damage& damage : damages) {
    json report = report_json();
    damage.apply(report);
    EXPECT_NE(complaints(report), "") << damage.what;
  }
}

TEST(SchemaTest, SummaryStandsFirst) {
  const auto report = nlohmann::ordered_json::parse(json_report(every_verdict_report()));
  EXPECT_EQ(report.begin().key(), "schema");
  EXPECT_EQ((++report.begin()).key(), "summary");
}

TEST(SchemaTest, RecordsInTheFileAreTheRecordsOfTheReport) {
  const Report report = every_verdict_report();
  const json written = report_json();
  ASSERT_EQ(written["records"].size(), report.records.size());
  EXPECT_EQ(written["summary"]["cases"]["total"], report.records.size());
  EXPECT_EQ(written["summary"]["exit_code"], exit_code(report));
  for (std::size_t i = 0; i < report.records.size(); ++i) {
    EXPECT_EQ(written["records"][i]["planned"]["id"], report.records[i].planned.id);
  }
}

}  // namespace
}  // namespace fathom
