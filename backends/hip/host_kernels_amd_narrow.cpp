// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_table.h"

namespace fathom::hip {

std::span<const KernelSet<HostLane>> amd_narrow_kernels() {
  static const auto kernels = all_host_kernels<AmdNarrow, 64>();
  return kernels;
}

}  // namespace fathom::hip
