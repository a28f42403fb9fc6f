// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_kernels.h"

namespace fathom::hip {

std::span<const KernelSet<HostLane>> kernels_of(Target target) {
  return target == Target::amd          ? amd_kernels()
         : target == Target::amd_narrow ? amd_narrow_kernels()
                                        : nvidia_kernels();
}

}  // namespace fathom::hip
