// SPDX-License-Identifier: Apache-2.0
#include "harness/run/runner.h"

#include <chrono>

namespace fathom {

Report run_plan(Journal& journal, const std::vector<PlannedCase>& todo, Index already_done,
                CaseTools& tools, const Expectations& expectations, const RunOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Progress progress{already_done, already_done + static_cast<Index>(todo.size())};
  bool stopped = false;
  for (const PlannedCase& planned : todo) {
    stopped = options.stop != nullptr && *options.stop;
    if (stopped) break;
    if (options.on_begin) options.on_begin(progress, planned);
    journal.begin(planned.id);
    Record record = run_case(planned, tools);
    expectations.apply(record, tools.workers.declared_name(backend_of(planned.backend)));
    journal.end(record);
    ++progress.done;
    if (options.on_end) options.on_end(progress, record);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  journal.finish(took.count(), expectations.stale());
  return make_report(read_journal(options.folder));
}

}  // namespace fathom
