// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/launcher.h"
#include "harness/worker/backend.h"

#include <memory>

namespace fathom::hip {

/// A Problem on the executor, which reads and writes the shared tensors themselves.
std::unique_ptr<worker::Plan> make_host_plan(const Problem& problem, bool two_passes,
                                             const worker::InputViews& inputs,
                                             const worker::OutputViews& outputs,
                                             const Launcher& launcher);

}  // namespace fathom::hip
