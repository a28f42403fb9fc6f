// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/record.h"
#include "harness/core/report.h"
#include "harness/probes/probe.h"
#include "harness/run/case_tools.h"

#include <chrono>
#include <string>

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

/// Puts one Trial to the backend: asks for support, makes the inputs, executes, observes, and asks
/// the oracle if the Trial wants it. `lowering` is the one to try first; empty: the backend's
/// order. Phases are timed into the Record. Throws what the worker's client throws.
Outcome run_trial(const Trial& trial, const BackendStatus& status, const std::string& lowering,
                  Record& record, CaseTools& tools);

}  // namespace fathom
