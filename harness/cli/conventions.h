// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/run/worker_pool.h"

#include <vector>

namespace fathom::cli {

/// Puts the Probe `conventions` to each backend that is present and prints what it found out: one
/// row a question, one column a backend.
void print_conventions(WorkerPool& pool, const std::vector<BackendStatus>& backends);

}  // namespace fathom::cli
