// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/gpu/gpu.h"
#include "harness/worker/backend.h"

#include <memory>

namespace fathom::hip {

/// A Problem on a GPU: its tensors are copied there once, outputs back in every execution.
std::unique_ptr<worker::Plan> make_gpu_plan(const Problem& problem, bool two_passes,
                                            const worker::InputViews& inputs,
                                            const worker::OutputViews& outputs, const Gpu& gpu);

}  // namespace fathom::hip
