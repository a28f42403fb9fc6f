// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_kernels.h"

namespace fathom::hip {

const HostKernels* find_kernels(Target target, Dtype dtype, Index head_dim) {
  const std::span<const HostKernels> all = target == Target::amd          ? amd_kernels()
                                           : target == Target::amd_narrow ? amd_narrow_kernels()
                                                                          : nvidia_kernels();
  for (const HostKernels& kernels : all) {
    if (kernels.dtype == dtype && kernels.head_dim == head_dim) return &kernels;
  }
  return nullptr;
}

}  // namespace fathom::hip
