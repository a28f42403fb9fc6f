// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_launch.h"

namespace fathom::hip {

std::span<const HostKernels> amd_narrow_kernels() {
  static const auto kernels = all_kernels_of<AmdNarrow, 64>();
  return kernels;
}

}  // namespace fathom::hip
