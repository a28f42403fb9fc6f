// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_launch.h"

namespace fathom::hip {

std::span<const HostKernels> nvidia_kernels() {
  static const auto kernels = all_kernels_of<Nvidia, 64, 96, 128, 256>();
  return kernels;
}

}  // namespace fathom::hip
