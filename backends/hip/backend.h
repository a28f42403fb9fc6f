// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/host_kernels.h"
#include "backends/hip/platform/gpu/gpu.h"
#include "harness/worker/backend.h"

#include <memory>
#include <vector>

namespace fathom::hip {

/// The kernel on the executor, with the matrix instructions of `target`.
std::unique_ptr<worker::Backend> make_host_backend(Target target);

/// The kernel on a GPU, which must outlive the backend, or a sentence on why there is none.
std::unique_ptr<worker::Backend> make_gpu_backend(std::string name, const GpuOrWhy& gpu);

/// `hip:host64`, `hip:host32`, `hip:nvidia`, `hip:amd`, there or absent.
std::vector<std::unique_ptr<worker::Backend>> make_all_backends();

}  // namespace fathom::hip
