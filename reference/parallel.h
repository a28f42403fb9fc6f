// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <functional>

namespace fathom::reference {

/// Runs task(0) ... task(count - 1) on up to `threads` threads, this one included, in no order:
/// tasks must write to places of their own. Rethrows the first exception.
void run_tasks(Index count, int threads, const std::function<void(Index)>& task);

/// All cores if `asked` is 0.
int thread_count(int asked);

}  // namespace fathom::reference
