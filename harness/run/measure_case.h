// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/record.h"
#include "harness/run/worker_client.h"
#include "harness/timing/stop_rule.h"

namespace fathom {

/// Asks the worker, which holds a prepared and judged Case, for samples until the stop rule is
/// content, forward and backward apart, and for its memory; writes them into the Record.
void measure_case(Record& record, WorkerClient& worker, const StopRule& rule);

}  // namespace fathom
