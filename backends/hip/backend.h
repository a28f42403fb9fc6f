// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/host_kernels.h"
#include "harness/worker/backend.h"

#include <memory>
#include <vector>

namespace fathom::hip {

/// The kernel on the executor, with the matrix instructions of `target`.
std::unique_ptr<worker::Backend> make_host_backend(Target target);

/// `hip:host64`, `hip:host32` and, for every platform that this build is not for, a sentence.
std::vector<std::unique_ptr<worker::Backend>> make_all_backends();

}  // namespace fathom::hip
