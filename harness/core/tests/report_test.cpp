// SPDX-License-Identifier: Apache-2.0
#include "harness/core/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fathom {
namespace {

Record record_with(Verdict verdict, Expected expected = Expected::no) {
  Record record;
  record.planned.backend = "sdpa";
  record.answered_by = "sdpa:math/loop";
  record.verdict = verdict;
  record.expected = expected;
  return record;
}

Report report_with(std::vector<Record> records) {
  Report report;
  report.records = std::move(records);
  return report;
}

/// A run with one good case and one case of the given outcome.
Report pass_and(const Record& other) {
  return report_with({record_with(Verdict::pass), other});
}

struct OutcomeRow {
  Verdict verdict;
  Expected expected;
  int code;
  std::string_view headline;
};

class OutcomeTest : public testing::TestWithParam<OutcomeRow> {};

TEST_P(OutcomeTest, DecidesTheExitCodeAndTheHeadline) {
  const Report report = pass_and(record_with(GetParam().verdict, GetParam().expected));
  EXPECT_EQ(exit_code(report), GetParam().code);
  EXPECT_EQ(headline(report), GetParam().headline);
}

INSTANTIATE_TEST_SUITE_P(
    ReportTest, OutcomeTest,
    testing::Values(OutcomeRow{Verdict::pass, Expected::no, 0,
                               "CONFORMANT: 2 of 2 judged cases pass."},
                    OutcomeRow{Verdict::fail, Expected::no, 1,
                               "NOT CONFORMANT: 1 fail; 1 of 2 judged cases pass."},
                    OutcomeRow{Verdict::crash, Expected::no, 1,
                               "NOT CONFORMANT: 1 crash; 1 of 2 judged cases pass."},
                    OutcomeRow{Verdict::hang, Expected::no, 1,
                               "NOT CONFORMANT: 1 hang; 1 of 2 judged cases pass."},
                    OutcomeRow{Verdict::protocol_error, Expected::no, 1,
                               "NOT CONFORMANT: 1 protocol_error; 1 of 2 judged cases pass."},
                    OutcomeRow{Verdict::out_of_memory, Expected::no, 1,
                               "NOT CONFORMANT: 1 out_of_memory; 1 of 2 judged cases pass."},
                    OutcomeRow{Verdict::unsupported, Expected::no, 0,
                               "CONFORMANT: 1 of 1 judged case pass, 1 unsupported."},
                    OutcomeRow{Verdict::vacuous, Expected::no, 4,
                               "NOT CONFORMANT: 1 vacuous; 1 of 2 judged cases pass."},
                    OutcomeRow{Verdict::not_run, Expected::no, 4,
                               "NOT CONFORMANT: 1 not_run; 1 of 1 judged case pass."},
                    OutcomeRow{Verdict::error, Expected::no, 3,
                               "NOT CONFORMANT: 1 error; 1 of 2 judged cases pass."},
                    OutcomeRow{Verdict::fail, Expected::expected_fail, 0,
                               "CONFORMANT: 1 of 2 judged cases pass, 1 fail as expected."},
                    OutcomeRow{Verdict::crash, Expected::expected_fail, 0,
                               "CONFORMANT: 1 of 2 judged cases pass, 1 fail as expected."},
                    OutcomeRow{Verdict::pass, Expected::unexpected_pass, 2,
                               "NOT CONFORMANT: 1 unexpected_pass; 1 of 2 judged cases pass."}));

TEST(ReportTest, TheGravestOutcomeDecidesInTheOrder3142) {
  Report report = report_with({record_with(Verdict::pass)});
  EXPECT_EQ(exit_code(report), 0);
  report.stale.emplace_back();
  EXPECT_EQ(exit_code(report), 2);
  report.records.push_back(record_with(Verdict::vacuous));
  EXPECT_EQ(exit_code(report), 4);
  report.records.push_back(record_with(Verdict::fail));
  EXPECT_EQ(exit_code(report), 1);
  report.records.push_back(record_with(Verdict::error));
  EXPECT_EQ(exit_code(report), 3);
  EXPECT_EQ(headline(report),
            "NOT CONFORMANT: 1 error, 1 fail, 1 vacuous, 1 stale expectation; 1 of 4 judged cases "
            "pass.");
}

TEST(ReportTest, NothingJudgedIsNoSuccess) {
  EXPECT_EQ(exit_code(report_with({})), 4);
  EXPECT_EQ(headline(report_with({})), "NOTHING RAN: none of 0 planned cases was judged.");
  const Report refused = report_with({record_with(Verdict::unsupported)});
  EXPECT_EQ(exit_code(refused), 4);
  EXPECT_EQ(headline(refused), "NOTHING RAN: none of 1 planned case was judged.");
}

TEST(ReportTest, StaleExpectationsAreCounted) {
  Report report = report_with({record_with(Verdict::pass)});
  report.stale.resize(2);
  EXPECT_EQ(exit_code(report), 2);
  EXPECT_EQ(headline(report), "NOT CONFORMANT: 2 stale expectations; 1 of 1 judged case pass.");
}

TEST(ReportTest, TallyCountsExpectedFailuresAndUnexpectedPassesApart) {
  const std::vector<Record> records{
      record_with(Verdict::pass),
      record_with(Verdict::fail),
      record_with(Verdict::fail, Expected::expected_fail),
      record_with(Verdict::pass, Expected::unexpected_pass),
  };
  const Tally counts = tally(records);
  EXPECT_EQ(counts.total, 4);
  EXPECT_EQ(counts.by_verdict,
            (std::map<std::string, Index>{
                {"expected_fail", 1}, {"fail", 1}, {"pass", 1}, {"unexpected_pass", 1}}));
}

TEST(ReportTest, TallyByBackendGoesByWhoAnsweredAndElseByWhoWasAsked) {
  std::vector<Record> records{record_with(Verdict::pass), record_with(Verdict::not_run)};
  records[1].answered_by.clear();
  const auto backends = tally_by_backend(records);
  ASSERT_EQ(backends.size(), 2U);
  EXPECT_EQ(backends.at("sdpa:math/loop").by_verdict.at("pass"), 1);
  EXPECT_EQ(backends.at("sdpa").by_verdict.at("not_run"), 1);
}

Record published_record(Dtype dtype, double max_abs) {
  Record record = record_with(Verdict::pass);
  record.planned.c.tags = {"published"};
  record.planned.c.problem.dtype = dtype;
  record.tensors.resize(2);
  record.tensors[0].tensor = "dq";
  record.tensors[0].max_abs = max_abs;
  record.tensors[1].tensor = "o";
  record.tensors[1].max_abs = 99;
  return record;
}

TEST(ReportTest, OursBesideAPublishedFigureIsTheLargestOfItsTensorsDtypeAndTag) {
  const PublishedFigure figure{{"dq", "dk"}, "f32", "max_abs", 0, 5e-6, "", ""};
  std::vector<Record> records{published_record(Dtype::f32, 2e-6),
                              published_record(Dtype::f32, 3e-6), published_record(Dtype::bf16, 1),
                              published_record(Dtype::f32, 7)};
  records[3].planned.c.tags.clear();
  EXPECT_EQ(ours_beside(figure, records),
            (std::map<std::string, double>{{"sdpa:math/loop", 3e-6}}));
  records.insert(records.begin(),
                 published_record(Dtype::f32, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_TRUE(std::isnan(ours_beside(figure, records).at("sdpa:math/loop")));
}

TEST(RecordTest, TheLoweringIsWhatFollowsTheSlash) {
  EXPECT_EQ(backend_of("sdpa:math/loop+dense_mask"), "sdpa:math");
  EXPECT_EQ(lowering_of("sdpa:math/loop+dense_mask"), "loop+dense_mask");
  EXPECT_EQ(backend_of("eigen"), "eigen");
  EXPECT_EQ(lowering_of("eigen"), "native");
}

TEST(RecordTest, TheOutcomeIsThatOfVerdictClassAndExpectation) {
  Record record = record_with(Verdict::fail, Expected::expected_fail);
  record.fail_class = FailClass::contract;
  EXPECT_EQ(outcome_text(record), "expected_fail(fail(contract))");
}

TEST(RecordTest, TheWorstMarginIsTheLargestAndNanIsWorse) {
  Record record;
  EXPECT_EQ(worst_margin(record), std::nullopt);
  record.tensors.resize(2);
  record.tensors[0].margin = {{"row_rho", 0.5}, {"z_max", 0.25}};
  record.tensors[1].margin = {{"row_rho", 0.75}};
  EXPECT_EQ(worst_margin(record), 0.75);
  for (const auto* first_between_last : {"a", "s", "zz"}) {
    Record poisoned = record;
    poisoned.tensors[0].margin[first_between_last] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_TRUE(std::isnan(worst_margin(poisoned).value_or(0))) << first_between_last;
  }
}

}  // namespace
}  // namespace fathom
