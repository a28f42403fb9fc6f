// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/geometry.h"

#include <array>

namespace fathom::hip {

/// By the address that the runtime knows a kernel by; bf16, then f16. Each head dim is a source of
/// its own to the GPU's compiler, so that they are compiled side by side.
using GpuKernels = std::array<KernelSet<const void*>, 2>;
GpuKernels gpu_kernels_64();
GpuKernels gpu_kernels_96();
GpuKernels gpu_kernels_128();
GpuKernels gpu_kernels_256();

}  // namespace fathom::hip
