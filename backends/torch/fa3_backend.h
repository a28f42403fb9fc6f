// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/fa3_library.h"
#include "harness/worker/backend.h"

#include <memory>
#include <string>

namespace fathom::fa3 {

/// FlashAttention-3 from an op library, absent with a sentence where there is none, no device that
/// it has kernels for, or a GPU that it is not made for. `device` as for sdpa.
std::unique_ptr<worker::Backend> make_backend(Library library, const std::string& device);

}  // namespace fathom::fa3
