// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/worker/backend.h"

#include <functional>

namespace fathom::worker {

/// Times `body` on the CPU's monotonic clock, one sample per call, after one untimed call. A cold
/// request walks a buffer larger than the caches before every sample.
TimeAnswer time_on_cpu(const TimeRequest& request, const std::function<void()>& body);

/// Peak growth of this process's resident memory while `body` runs once (Linux: VmHWM after its
/// reset through /proc/self/clear_refs); null with a reason where the kernel does not offer it.
/// The kernel counts pages in batches: differences below a few hundred KiB are rough.
MemoryUse resident_growth(const std::function<void()>& body, Index output_bytes);

}  // namespace fathom::worker
