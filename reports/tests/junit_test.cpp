// SPDX-License-Identifier: Apache-2.0
#include "reports/junit.h"

#include "reports/tests/fixture.h"
#include "reports/tests/golden.h"

#include <gtest/gtest.h>
#include <pugixml.hpp>

#include <map>

namespace fathom {
namespace {

/// The exact outcome by case id, read back from junit.xml.
std::map<std::string, std::string> outcomes_in(const pugi::xml_document& document) {
  std::map<std::string, std::string> outcomes;
  for (const auto& found : document.select_nodes("//testcase")) {
    const auto property = [&](const char* name) {
      const pugi::xml_node properties = found.node().child("properties");
      return properties.find_child_by_attribute("name", name).attribute("value").as_string();
    };
    outcomes[property("fathom.id")] = property("fathom.verdict");
  }
  return outcomes;
}

pugi::xml_document parsed(const Report& report) {
  pugi::xml_document document;
  const std::string text = junit_report(report);
  const pugi::xml_parse_result result = document.load_string(text.c_str());
  EXPECT_TRUE(result) << result.description() << " at " << result.offset;
  return document;
}

/// One record of every outcome that can be written down.
Report every_outcome() {
  Report report;
  const Record model = every_verdict_report().records.front();
  for (const VerdictInfo& verdict : verdicts) {
    for (int fail_class = 0; fail_class < 6; ++fail_class) {
      for (int expected = 0; expected < 3; ++expected) {
        Record record = model;
        record.verdict = verdict.verdict;
        record.fail_class = static_cast<FailClass>(fail_class);
        record.expected = static_cast<Expected>(expected);
        record.planned.id = std::to_string(report.records.size());
        report.records.push_back(record);
      }
    }
  }
  return report;
}

TEST(JunitTest, Golden) {
  expect_golden("junit.xml", junit_report(every_verdict_report()));
}

TEST(JunitTest, TheExactOutcomeComesBackForAllOfThem) {
  const Report report = every_outcome();
  const auto outcomes = outcomes_in(parsed(report));
  ASSERT_EQ(outcomes.size(), report.records.size());
  for (const Record& record : report.records) {
    EXPECT_EQ(outcomes.at(record.planned.id), outcome_text(record));
  }
}

TEST(JunitTest, NothingThatProvesLessThanAPassLooksGreen) {
  const std::map<std::string, std::string> wanted{{"pass", ""},
                                                  {"fail", "failure"},
                                                  {"crash", "error"},
                                                  {"hang", "error"},
                                                  {"protocol_error", "error"},
                                                  {"out_of_memory", "error"},
                                                  {"unsupported", "skipped"},
                                                  {"vacuous", "failure"},
                                                  {"not_run", "error"},
                                                  {"error", "error"},
                                                  {"expected_fail", "skipped"},
                                                  {"unexpected_pass", "failure"}};
  const Report report = every_verdict_report();
  const pugi::xml_document document = parsed(report);
  for (const Record& record : report.records) {
    const std::string path = "//testcase[properties/property[@value='" + record.planned.id + "']]";
    const pugi::xml_node testcase = document.select_node(path.c_str()).node();
    const std::string& element = wanted.at(tally_word(record));
    for (const char* name : {"failure", "error", "skipped"}) {
      EXPECT_EQ(!testcase.child(name).empty(), element == name) << outcome_text(record) << name;
    }
    if (tally_word(record) != "fail") continue;
    EXPECT_EQ(testcase.child("failure").attribute("type").as_string(),
              std::string(to_string(record.fail_class)));
  }
}

TEST(JunitTest, CountsAddUp) {
  const pugi::xml_document document = parsed(every_verdict_report());
  for (const auto& found : document.select_nodes("//testsuite")) {
    const pugi::xml_node suite = found.node();
    const auto count = [&](const char* path) { return suite.select_nodes(path).size(); };
    EXPECT_EQ(suite.attribute("tests").as_ullong(), count("testcase"));
    EXPECT_EQ(suite.attribute("failures").as_ullong(), count("testcase/failure"));
    EXPECT_EQ(suite.attribute("errors").as_ullong(), count("testcase/error"));
    EXPECT_EQ(suite.attribute("skipped").as_ullong(), count("testcase/skipped"));
  }
}

TEST(JunitTest, HostileTextStaysText) {
  const Report report = hostile_report();
  const std::string text = junit_report(report);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    EXPECT_TRUE(byte >= 0x20 || c == '\n' || c == '\t') << static_cast<int>(byte);
  }
  EXPECT_EQ(text.find("<script"), std::string::npos);
  EXPECT_EQ(text.find("\xE2\x80\xAE"), std::string::npos);
  EXPECT_EQ(outcomes_in(parsed(report)).size(), report.records.size());
}

}  // namespace
}  // namespace fathom
