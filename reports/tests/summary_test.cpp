// SPDX-License-Identifier: Apache-2.0
#include "reports/summary.h"

#include "reports/outcome_style.h"
#include "reports/support_matrix.h"
#include "reports/tests/fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

Record record_of(const std::string& backend, Verdict verdict, const std::string& mask = "full") {
  Record record;
  record.planned.c =
      parse_case("dir=fwd dtype=f32 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=8 mask=" + mask +
                 " fill=normal seed=1");
  record.planned.backend = backend;
  record.planned.id = backend + mask;
  record.answered_by = backend;
  record.verdict = verdict;
  record.fail_class = verdict == Verdict::fail ? FailClass::accuracy : FailClass::none;
  return record;
}

void set_margin(Record& record, double share) {
  record.tensors.resize(1);
  record.tensors[0].tensor = "o";
  record.tensors[0].margin = {{"accuracy.row_rho", share}};
}

void set_latency(Record& record, double median_ns, double flops) {
  Latency latency;
  latency.pass = "forward";
  latency.median_ns = median_ns;
  latency.flops_per_s = flops;
  record.measurement.latency = {latency};
}

TEST(SummaryTest, NaNIsTheWorstMarginWhereverItStands) {
  for (const bool first : {false, true}) {
    Report report;
    report.records = {record_of("a", Verdict::pass),
                      record_of("a", Verdict::pass, "causal(top_left)")};
    set_margin(report.records[0], first ? std::nan("") : 0.5);
    set_margin(report.records[1], first ? 0.5 : std::nan(""));
    EXPECT_TRUE(std::isnan(summarise(report).worst.at("a").share));
  }
}

TEST(SummaryTest, KeepsTheNearestPassApartFromTheWorstOfAll) {
  Report report;
  report.records = {record_of("a", Verdict::pass),
                    record_of("a", Verdict::fail, "causal(top_left)")};
  set_margin(report.records[0], 0.75);
  set_margin(report.records[1], 3);
  const Summary summary = summarise(report);
  EXPECT_EQ(summary.worst.at("a").share, 3);
  EXPECT_EQ(summary.worst_passing.at("a"),
            (Margin{0.75, "o", "accuracy.row_rho", report.records[0].planned.id}));
}

TEST(SummaryTest, MeansAreGeometricAndRatiosAreOverSharedCases) {
  Report report;
  report.records = {record_of("a", Verdict::pass),
                    record_of("a", Verdict::pass, "causal(top_left)"),
                    record_of("b", Verdict::pass)};
  set_latency(report.records[0], 100, 1e9);
  set_latency(report.records[1], 900, 4e9);
  set_latency(report.records[2], 50, 8e9);
  const auto rows = performance(report);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].timed, 2);
  EXPECT_NEAR(*rows[0].flops_per_s, 2e9, 1);  // sqrt(1e9 * 4e9)
  EXPECT_NEAR(*rows[0].relative_time, 2, 1e-12);
  EXPECT_NEAR(*rows[1].relative_time, 1, 1e-12);
  EXPECT_EQ(rows[0].shared, 1);
}

TEST(SummaryTest, NobodyToCompareWithGivesNoRatio) {
  Report report;
  report.records = {record_of("a", Verdict::pass),
                    record_of("b", Verdict::pass, "causal(top_left)")};
  set_latency(report.records[0], 100, 1e9);
  EXPECT_FALSE(performance(report).at(0).relative_time);
  set_latency(report.records[1], 100, 1e9);
  EXPECT_FALSE(performance(report).at(0).relative_time);  // No case in common.
}

TEST(SummaryTest, ColdSamplesStayOutOfTheMeans) {
  Report report;
  report.records = {record_of("a", Verdict::pass)};
  set_latency(report.records[0], 100, 1e9);
  report.records[0].measurement.latency[0].cold = true;
  EXPECT_TRUE(performance(report).empty());
}

TEST(SummaryTest, APublishedFigureStandsBesideEveryBackendOrAlone) {
  const Report report = every_verdict_report();
  const auto rows = figures_beside(report);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].backend, "eigen");
  EXPECT_NEAR(rows[0].ours, 0.67e-3, 1e-9);  // The largest of three cases.
  EXPECT_EQ(figure_range(*rows[1].figure), "0.0039 to 0.0078");
  EXPECT_EQ(rows[2].backend, "");
}

TEST(SummaryTest, FailuresComeGravestFirstAndForetoldOnesDoNotCome) {
  const Report report = every_verdict_report();
  const auto found = failures(report);
  EXPECT_EQ(found.size(), 14U);
  EXPECT_EQ(found.front()->verdict, Verdict::crash);
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), [](const Record* a, const Record* b) {
    return outcome_style(*a).gravity > outcome_style(*b).gravity;
  }));
  for (const Record* record : found) EXPECT_NE(record->expected, Expected::expected_fail);
}

TEST(SummaryTest, EveryVerdictAndFailClassHasAStyleOfItsOwn) {
  for (const VerdictInfo& row : verdicts) {
    if (row.verdict == Verdict::fail) continue;
    EXPECT_EQ(outcome_style(row.name).kind, row.name);
  }
  for (const FailClass c : {FailClass::accuracy, FailClass::nonfinite, FailClass::nondeterministic,
                            FailClass::contract, FailClass::out_of_bounds}) {
    EXPECT_EQ(outcome_style(to_string(c)).kind, to_string(c));
  }
  for (const Expected e : {Expected::expected_fail, Expected::unexpected_pass}) {
    EXPECT_EQ(outcome_style(to_string(e)).kind, to_string(e));
  }
}

const MatrixCell& only_cell(const SupportMatrix& matrix) {
  return matrix.rows.at(0).cells.at(0);
}

TEST(SupportMatrixTest, ACellThatPassesInPartSaysSo) {
  Report report;
  report.records = {record_of("a", Verdict::pass), record_of("a", Verdict::crash)};
  const SupportMatrix matrix = support_matrix(report);
  EXPECT_EQ(kind_of(only_cell(matrix)), "partial");
  EXPECT_EQ(only_cell(matrix).passed, 1);
  EXPECT_EQ(only_cell(matrix).required, 2);
}

TEST(SupportMatrixTest, TheGravestKindStandsForACell) {
  Report report;
  report.records = {record_of("a", Verdict::fail), record_of("a", Verdict::hang),
                    record_of("a", Verdict::vacuous)};
  EXPECT_EQ(kind_of(only_cell(support_matrix(report))), "hang");
}

TEST(SupportMatrixTest, RefusalsAreNotRequiredAndAreQuotedOnce) {
  Report report;
  report.records = {record_of("a", Verdict::unsupported), record_of("a", Verdict::unsupported)};
  for (Record& record : report.records) {
    record.reason_code = "mask";
    record.reason = "no such mask here";
  }
  SupportMatrix matrix = support_matrix(report);
  EXPECT_EQ(only_cell(matrix).required, 0);
  EXPECT_EQ(kind_of(only_cell(matrix)), "unsupported");
  EXPECT_EQ(matrix.notes, std::vector<std::string>{"a (mask): no such mask here"});
  EXPECT_EQ(only_cell(matrix).notes, std::vector<int>{1});

  report.records.push_back(record_of("a", Verdict::pass));
  matrix = support_matrix(report);
  EXPECT_EQ(kind_of(only_cell(matrix)), "pass");
  EXPECT_EQ(only_cell(matrix).required, 1);
}

TEST(SupportMatrixTest, ACaseThatNobodyPlannedLeavesAnEmptyCell) {
  Report report;
  report.records = {record_of("a", Verdict::pass), record_of("b", Verdict::pass, "prefix_lm")};
  const SupportMatrix matrix = support_matrix(report);
  ASSERT_EQ(matrix.rows.size(), 2U);
  EXPECT_FALSE(matrix.rows[0].cells[0].empty());
  EXPECT_TRUE(matrix.rows[0].cells[1].empty());
  EXPECT_TRUE(matrix.rows[1].cells[0].empty());
}

}  // namespace
}  // namespace fathom
