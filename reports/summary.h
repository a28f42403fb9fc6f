// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// One margin: a value as a share of its limit, and where it was found.
struct Margin {
  double share = 0;
  std::string tensor;
  std::string check;
  std::string case_id;
  bool operator==(const Margin&) const = default;
};

/// `O is right without keys 64-127. Likely cause: ...`; empty if nothing is explained.
std::string explanation_text(const Record& record);

/// The largest margin of one Record, or of several; empty if nothing was compared.
std::optional<Margin> worst_margin_of(const Record& record);

/// What a reader wants before anything else.
struct Summary {
  std::string headline;
  int exit_code = 0;
  Tally total;
  std::map<std::string, Tally> by_backend;
  std::map<std::string, Margin> worst;          ///< By backend, over all Records.
  std::map<std::string, Margin> worst_passing;  ///< By backend, over passes: nearest to the edge.
};

Summary summarise(const Report& report);

/// How fast one backend was in one pass over the cases that were timed.
struct Performance {
  std::string backend;
  std::string pass;
  Index timed = 0;
  std::optional<double> flops_per_s;  ///< Geometric mean of useful FLOP/s; empty if none is > 0.
  std::optional<double> bytes_per_s;  ///< Geometric mean of compulsory bytes/s.
  /// Geometric mean of the median over that of the case's fastest backend, on the `shared` cases
  /// that some other backend timed too; empty if there is none.
  std::optional<double> relative_time;
  Index shared = 0;
  std::optional<Index> peak_bytes;  ///< Largest peak of one execution, over the backend's cases.
};

/// By pass, then backend. Warm samples only.
std::vector<Performance> performance(const Report& report);

/// The warm latency of one pass of a Record, if it was timed.
const Latency* warm_latency(const Record& record, std::string_view pass);

/// Records that need attention, gravest first, in plan order among equals.
std::vector<const Record*> failures(const Report& report);

/// Records with one Expected word.
std::vector<const Record*> with_expected(const Report& report, Expected expected);

/// A published figure and what one backend gave for it in this run.
struct FigureBeside {
  const PublishedFigure* figure = nullptr;
  std::string backend;  ///< Empty if nobody answered a case of the figure.
  double ours = 0;
};

/// In the order of the figures, then of the backends' names.
std::vector<FigureBeside> figures_beside(const Report& report);

/// `dq, dk of bf16: max_abs`, and `0.0039 to 0.0078` or `up to 2.4e-07`.
std::string figure_name(const PublishedFigure& figure);
std::string figure_range(const PublishedFigure& figure);

/// An Expectation that foretold failures, and how many.
struct MatchedExpectation {
  ExpectationNote note;
  Index cases = 0;
};

/// In order of appearance.
std::vector<MatchedExpectation> matched_expectations(const Report& report);

}  // namespace fathom
