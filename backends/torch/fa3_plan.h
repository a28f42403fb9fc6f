// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/device.h"
#include "backends/torch/fa3_ops.h"
#include "harness/worker/backend.h"

#include <memory>
#include <string_view>

namespace fathom::fa3 {

/// A Problem bound to its tensors: inputs uploaded, outputs copied back by execute(), which fills
/// every buffer that the op is to write with NaN first. Whatever the op throws arrives as Error, or
/// OutOfMemory, with its own sentence. Needs why_not_lowered to be empty.
std::unique_ptr<worker::Plan> make_plan(const Ops& ops, const sdpa::Device& device,
                                        const Problem& problem, std::string_view lowering,
                                        const worker::InputViews& inputs,
                                        const worker::OutputViews& outputs);

}  // namespace fathom::fa3
