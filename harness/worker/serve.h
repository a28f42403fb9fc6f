// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/worker/backend.h"

#include <memory>
#include <string>
#include <vector>

namespace fathom::worker {

/// Answers the worker protocol on the inherited file descriptor 3 until `bye` or end of file; the
/// whole main() of a C++ worker. Returns the process's exit code.
int serve(const std::string& worker_name, std::vector<std::unique_ptr<Backend>> backends);

}  // namespace fathom::worker
