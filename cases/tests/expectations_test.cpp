// SPDX-License-Identifier: Apache-2.0
#include "cases/suite.h"
#include "cases/tests/planted_file.h"
#include "harness/codec/json.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fathom {
namespace {

Json entry() {
  return {{"match", "backend:sdpa:flash fill:q_zero"}, {"verdict", "fail(accuracy)"},
          {"evidence", "LSE off by 5.34e-5"},          {"reason", "a fast exponential"},
          {"link", "https://example.org/x"},           {"expires", "2027-03-31"}};
}

std::string complaint(const std::string& key, const Json& value) {
  Json changed = entry();
  changed[key] = value;
  return complaint_about(Json::array({entry(), changed}).dump(), load_expectations);
}

TEST(ExpectationsTest, ReadsEveryFieldAndRemembersTheFile) {
  const PlantedFile file(Json::array({entry()}).dump());
  const auto expectations = load_expectations(file.path());
  ASSERT_EQ(expectations.size(), 1u);
  EXPECT_EQ(
      expectations[0].note,
      (ExpectationNote{"backend:sdpa:flash fill:q_zero", "fail(accuracy)", "LSE off by 5.34e-5",
                       "a fast exponential", "https://example.org/x", "2027-03-31"}));
  EXPECT_EQ(expectations[0].file, file.path().string());
}

TEST(ExpectationsTest, AnEmptyListExpectsNothing) {
  const PlantedFile file("[]");
  EXPECT_TRUE(load_expectations(file.path()).empty());
}

TEST(ExpectationsTest, EveryFieldIsRequired) {
  const Json whole = entry();
  for (const auto& [key, value] : whole.items()) {
    Json cut = whole;
    cut.erase(key);
    EXPECT_EQ(complaint_about(Json::array({cut}).dump(), load_expectations),
              " [0]: key '" + key + "' is missing");
  }
}

TEST(ExpectationsTest, UnknownKeysAndWrongTypesAreRefused) {
  EXPECT_EQ(complaint("issue", "x"), " [1]: unknown key 'issue'");
  EXPECT_EQ(complaint("expire", "x"), " [1]: unknown key 'expire' (did you mean 'expires'?)");
  EXPECT_EQ(complaint("link", 3), " [1].link: must be a string, not the number 3");
  EXPECT_EQ(complaint_about("{}", load_expectations), " must be an array, not an object");
}

TEST(ExpectationsTest, EveryOutcomeButPassMayBeForetold) {
  for (const char* verdict : {"fail(accuracy)", "fail(out_of_bounds)", "crash", "hang",
                              "protocol_error", "out_of_memory", "not_run", "error"}) {
    EXPECT_EQ(complaint("verdict", verdict), "") << verdict;
  }
  EXPECT_EQ(complaint("verdict", "pass"), " [1].verdict: 'pass' is no outcome to expect");
  EXPECT_EQ(complaint("verdict", "fail"), " [1].verdict: 'fail' is no outcome to expect");
  EXPECT_EQ(complaint("verdict", "fail(none)").find("'fail(none)' is no outcome"), 14u);
  EXPECT_EQ(complaint("verdict", "fail.accuracy"),
            " [1].verdict: 'fail.accuracy' is no outcome to expect (did you mean "
            "'fail(accuracy)'?)");
  EXPECT_EQ(complaint("verdict", "Crash").find("'Crash' is no outcome"), 14u);
}

TEST(ExpectationsTest, TheMatchMustBeAQueryAndNotMatchEverything) {
  EXPECT_EQ(complaint("match", "  "), " [1].match: is empty, and would match everything");
  const std::string said = complaint("match", "fil=flat");
  EXPECT_TRUE(said.starts_with(" [1].match: ")) << said;
  EXPECT_NE(said.find("fil"), std::string::npos) << said;
  EXPECT_TRUE(complaint("match", "(fill:flat").starts_with(" [1].match: "));
}

TEST(ExpectationsTest, TheExpiryMustBeADateOfTheCalendar) {
  EXPECT_EQ(complaint("expires", "2028-02-29"), "");
  for (const char* date : {"2027-02-29", "2027-13-01", "2027-00-10", "2027-1-1", "27-01-01",
                           "never", "2027/01/01", "2027-01-01T", "0000-01-01", "2027-01--1", ""}) {
    EXPECT_EQ(complaint("expires", date),
              " [1].expires: '" + std::string(date) + "' is no date; write YYYY-MM-DD");
  }
}

TEST(ExpectationsTest, EvidenceReasonAndLinkMustSaySomething) {
  EXPECT_EQ(complaint("evidence", ""), " [1].evidence: is empty");
  EXPECT_EQ(complaint("reason", " \t"), " [1].reason: is empty");
  EXPECT_EQ(complaint("link", "todo"), " [1].link: 'todo' is no link; it must start with https://");
}

TEST(ExpectationsTest, ShippedFilesLoad) {
  const std::filesystem::path backends = std::filesystem::path(FATHOM_SOURCE_DIR) / "backends";
  for (const auto& folder : std::filesystem::directory_iterator(backends)) {
    const auto file = folder.path() / "expectations.json";
    if (!std::filesystem::exists(file)) continue;
    EXPECT_NO_THROW(load_expectations(file)) << file;
  }
}

}  // namespace
}  // namespace fathom
