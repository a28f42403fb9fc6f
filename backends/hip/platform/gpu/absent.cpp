// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platform/gpu/gpu.h"

namespace fathom::hip {

/// In place of gpu.cpp where kernels for GPUs were not built.
const GpuOrWhy& find_gpu(Vendor vendor) {
  static const GpuOrWhy amd{nullptr, FATHOM_HIP_WHY_NO_AMD};
  static const GpuOrWhy nvidia{nullptr, FATHOM_HIP_WHY_NO_NVIDIA};
  return vendor == Vendor::amd ? amd : nvidia;
}

}  // namespace fathom::hip
