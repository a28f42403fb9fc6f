// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/oracle.h"
#include "harness/core/report.h"
#include "harness/run/expectations.h"
#include "harness/run/journal.h"
#include "harness/run/run_case.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fathom {

/// What a run tells its watcher.
struct Progress {
  Index done = 0;  ///< Ended cases, those of earlier attempts included.
  Index total = 0;
};
using Watcher = std::function<void(const Progress&, const PlannedCase& starting)>;
using EndWatcher = std::function<void(const Progress&, const Record&)>;

struct RunOptions {
  std::filesystem::path folder;
  Watcher on_begin;
  EndWatcher on_end;
  const std::atomic<bool>* stop = nullptr;  ///< Set by a signal: end after the running case.
};

/// Runs every case of the plan that has not ended yet, one after the other, and journals each
/// before anybody hears of it. Returns the Report read back from the journal.
Report run_plan(Journal& journal, const std::vector<PlannedCase>& todo, Index already_done,
                CaseTools& tools, const Expectations& expectations, const RunOptions& options);

}  // namespace fathom
