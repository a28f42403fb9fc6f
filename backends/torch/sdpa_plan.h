// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/device.h"
#include "backends/torch/lowering.h"
#include "backends/torch/variant.h"
#include "harness/worker/backend.h"

#include <memory>

namespace fathom::sdpa {

/// A Problem bound to its tensors: inputs uploaded, masks built, outputs copied back by execute().
/// What torch throws arrives as Error, or OutOfMemory, with torch's sentence.
std::unique_ptr<worker::Plan> make_plan(const Variant& variant, const Device& device,
                                        const Problem& problem, const Lowering& lowering,
                                        const worker::InputViews& inputs,
                                        const worker::OutputViews& outputs);

}  // namespace fathom::sdpa
