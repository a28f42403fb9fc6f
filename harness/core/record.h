// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/case.h"
#include "harness/core/cost.h"
#include "harness/core/explanation.h"
#include "harness/core/finding.h"
#include "harness/core/measurement.h"
#include "harness/core/metrics.h"
#include "harness/core/verdict.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// The Expectation that matched a Record, quoted so that a report needs no other file.
struct ExpectationNote {
  std::string match;
  std::string verdict;
  std::string evidence;
  std::string reason;
  std::string link;
  std::string expires;
  bool operator==(const ExpectationNote&) const = default;
};

/// Everything known about one planned case after it ended.
struct Record {
  PlannedCase planned;
  std::string answered_by;  ///< backend[:variant][/lowering] that really answered.
  std::string version;      ///< Of the backend, from hello.
  std::string device;
  Verdict verdict = Verdict::not_run;
  FailClass fail_class = FailClass::none;
  std::string reason_code;  ///< Of unsupported, not_run, crash (SIGSEGV), hang (phase), ...
  std::string reason;       ///< One sentence.
  Expected expected = Expected::no;
  std::optional<ExpectationNote> expectation;
  Arithmetic arithmetic;
  Cost cost;
  std::string outputs_hash;  ///< Of all output bytes of all executions; empty if there were none.
  std::vector<Finding> findings;
  std::vector<TensorMetrics> tensors;
  std::optional<Explanation> explanation;  ///< Of a case that failed.
  std::vector<HeatMap> heat;               ///< Where the errors are; of a case that failed.
  Measurement measurement;
  std::map<std::string, double> phase_ns;  ///< inputs, oracle, prepare, execute, judge, measure.
  std::map<std::string, std::string> answers;  ///< What a Probe found out, by question.
  std::string worker_log;                      ///< Captured, capped and cleaned stdout and stderr.
  bool operator==(const Record&) const = default;
};

/// `pass`, `expected_fail(fail(accuracy))`, ... of a Record.
std::string outcome_text(const Record& record);

/// The largest share of a limit over all tensors and checks; empty if nothing was compared.
std::optional<double> worst_margin(const Record& record);

/// backend part of `backend[:variant][/lowering]`, and the lowering (`native` if none is named).
std::string backend_of(std::string_view answered_by);
std::string lowering_of(std::string_view answered_by);

}  // namespace fathom
