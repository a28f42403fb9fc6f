// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/record.h"
#include "harness/core/report.h"
#include "harness/probes/probe.h"
#include "harness/run/case_tools.h"
#include "harness/run/execution.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// Adds the time it lives to one phase of a Record.
class PhaseTimer {
 public:
  PhaseTimer(Record& record, std::string phase) : record_(record), phase_(std::move(phase)) {}
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;
  ~PhaseTimer() {
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start_;
    record_.phase_ns[phase_] += took.count();
  }

 private:
  Record& record_;
  std::string phase_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The Trials of one planned case, put to its backend one after the other. Phases are timed into
/// the Record. Throws what the worker's client throws.
class TrialRunner {
 public:
  TrialRunner(const BackendStatus& status, Record& record, CaseTools& tools)
      : status_(status), record_(record), tools_(tools) {}

  /// Asks for support, makes the inputs, executes, observes, and asks the oracle if the Trial wants
  /// it. `lowering` is the one to try first; empty: the backend's order.
  Outcome run(const Trial& trial, const std::string& lowering);

 private:
  std::optional<std::string> choose_lowering(Outcome& outcome, const std::string& first);
  [[nodiscard]] std::vector<std::string> lowerings(const std::string& first) const;
  [[nodiscard]] Arithmetic arithmetic(Dtype dtype) const;
  void prepare(const Outcome& outcome, const std::string& lowering);
  void execute(Outcome& outcome);

  const BackendStatus& status_;
  Record& record_;
  CaseTools& tools_;
  std::optional<Execution> execution_;  ///< Of the last Trial.
  Outcome last_;                        ///< Its names and Inputs, without what was observed.
};

}  // namespace fathom
