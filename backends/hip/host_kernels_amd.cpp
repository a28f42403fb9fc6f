// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_table.h"

namespace fathom::hip {

std::span<const KernelSet<HostLane>> amd_kernels() {
  static const auto kernels = all_host_kernels<Amd, 64, 96, 128, 256>();
  return kernels;
}

}  // namespace fathom::hip
