// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/run/worker_pool.h"

#include <vector>

namespace fathom::cli {

/// Asks each backend that is present what people who compile must know, and prints the three facts
/// of GraphAnswer, one row a backend, with their reasons below.
void print_graph(WorkerPool& pool, const std::vector<BackendStatus>& backends);

}  // namespace fathom::cli
