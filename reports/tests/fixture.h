// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <string>
#include <vector>

// Hand-made Reports for the writers' tests. Their numbers are invented: nothing was measured.

namespace fathom {

/// A small run with every verdict, an expected failure, an unexpected pass, a stale Expectation, an
/// absent backend, latency, memory, and every optional metric both there and missing.
Report every_verdict_report();

/// The same shape of run, with hostile text wherever a worker or a file could put it.
Report hostile_report();

/// The hostile texts: script ends, comments, CDATA ends, ANSI escapes, line separators,
/// bidirectional controls, broken UTF-8, table pipes, backticks.
const std::vector<std::string>& hostile_texts();

/// `count` records of lengths, masks, dtypes and backends, of which some fail: for size and speed.
Report large_report(Index count);

}  // namespace fathom
