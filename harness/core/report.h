// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/record.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// A backend that a worker offered, or why it is absent.
struct BackendStatus {
  std::string name;
  std::string version;
  std::string device;
  std::string absent;  ///< One sentence; empty if the backend is here.
  std::vector<std::string> lowerings;
  std::vector<std::string> features;
  std::map<std::string, Arithmetic> arithmetic;  ///< By dtype name.
  bool operator==(const BackendStatus&) const = default;
};

/// Where and how a run was made: ordered key -> value, for people and diffs.
using Environment = std::map<std::string, std::string>;

/// An Expectation that deserves attention: expired, or matching nothing that ran.
struct StaleExpectation {
  ExpectationNote note;
  std::string file;
  std::string problem;  ///< expired, unmatched
  bool operator==(const StaleExpectation&) const = default;
};

/// A figure that somebody else published, to stand beside ours; the comparisons differ, so each
/// says what it compares.
struct PublishedFigure {
  std::vector<std::string> tensors;  ///< o; dq, dk, dv.
  std::string dtype;                 ///< Name of the dtype that the figure was taken in.
  std::string what;                  ///< Which metric of a tensor it is, e.g. `max_abs`.
  double low = 0;                    ///< The published range; 0 if only an upper end was given.
  double high = 0;
  std::string compares;  ///< What against what.
  std::string source;    ///< Link.
  bool operator==(const PublishedFigure&) const = default;
};

/// What a selftest measured for a set of Cases: how many planted defects they see.
struct MeasuredPower {
  std::string cases_hash;  ///< Names the set of Cases, whatever their order.
  std::string measured_utc;
  Index killed = 0;
  Index of = 0;    ///< Cells (mutant, dtype, key length) that differ from the honest twin.
  double low = 0;  ///< 95 % interval of the kill rate.
  double high = 1;
  std::vector<std::string> survivors;
  bool operator==(const MeasuredPower&) const = default;
};

/// One run, as read back from its journal; reports are pure functions of it.
struct Report {
  std::string fathom_version;
  std::string suite;
  std::string filter;
  std::string started_utc;
  std::string manifest_hash;
  double duration_s = 0;
  int resumes = 0;
  std::vector<PlannedCase> planned;
  std::vector<Record> records;  ///< In plan order; planned cases without an end are not_run.
  std::vector<BackendStatus> backends;
  std::vector<StaleExpectation> stale;
  std::vector<PublishedFigure> published;  ///< From the suites, to stand beside ours.
  std::optional<MeasuredPower> power;      ///< Of the Cases of this run, if ever measured.
  Environment environment;
  bool operator==(const Report&) const = default;
};

/// The largest value that cases tagged `published` gave for a figure, by who answered: max_abs, the
/// only metric published so far, against the fp64 oracle. Only judged cases count.
std::map<std::string, double> ours_beside(const PublishedFigure& figure,
                                          const std::vector<Record>& records);

/// Counts by verdict, with expected failures and unexpected passes apart.
struct Tally {
  std::map<std::string, Index> by_verdict;  ///< Verdict names, expected_fail, unexpected_pass.
  Index total = 0;
  bool operator==(const Tally&) const = default;
};
/// How many were counted under a word; 0 if none.
Index count_in(const Tally& tally, std::string_view word);
/// The word under which a Record is counted: its Expected word if there is one, else its Verdict.
std::string tally_word(const Record& record);
Tally tally(const std::vector<Record>& records);
std::map<std::string, Tally> tally_by_backend(const std::vector<Record>& records);

/// 0 as expected, 1 conformance failure, 2 stale expectation, 3 infrastructure, 4 nothing ran or
/// power lost (vacuous, not_run), in the order 3 > 1 > 4 > 2 > 0.
int exit_code(const Report& report);

/// `Power: these cases kill 812 of 812 planted defects ...`, or that it was not measured.
std::string power_sentence(const Report& report);

/// A name for a set of Cases, whatever their order and whoever answers.
std::string hash_of_cases(const std::vector<Case>& cases);

/// One sentence: CONFORMANT or what is wrong, with counts and denominators.
std::string headline(const Report& report);

}  // namespace fathom
