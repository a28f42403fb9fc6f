// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/run/runner.h"

#include <chrono>
#include <map>
#include <string>

namespace fathom::cli {

/// Progress on standard error: one status line on a terminal, with failures scrolling above it;
/// in a pipe one line per failure and a line every 30 seconds, without carriage returns.
class ProgressLine {
 public:
  ProgressLine(bool terminal, bool quiet) : terminal_(terminal), quiet_(quiet) {}
  void begin(const Progress& progress, const PlannedCase& starting);
  void end(const Progress& progress, const Record& record);
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  void status(const Progress& progress, const std::string& what);
  [[nodiscard]] std::string counts() const;

  bool terminal_;
  bool quiet_;
  std::map<std::string, Index> words_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace fathom::cli
