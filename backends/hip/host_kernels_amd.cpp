// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_launch.h"

namespace fathom::hip {

std::span<const HostKernels> amd_kernels() {
  static const auto kernels = all_kernels_of<Amd, 64, 96, 128, 256>();
  return kernels;
}

}  // namespace fathom::hip
