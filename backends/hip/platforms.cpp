// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platforms.h"

#include "backends/hip/platform/gpu/gpu.h"

namespace fathom::hip {
namespace {

Platform gpu_platform(Vendor vendor) {
  const auto& [gpu, why_absent] = find_gpu(vendor);
  return {false, gpu != nullptr ? &gpu->launcher : nullptr, why_absent};
}

}  // namespace

const Platform* find_platform(fathom_hip_platform number) {
  static const Platform host64 = host_platform(Target::amd);
  static const Platform host32 = host_platform(Target::nvidia);
  switch (number) {
    case FATHOM_HIP_HOST64: return &host64;
    case FATHOM_HIP_HOST32: return &host32;
    case FATHOM_HIP_NVIDIA: {
      static const Platform nvidia = gpu_platform(Vendor::nvidia);
      return &nvidia;
    }
    case FATHOM_HIP_AMD: {
      static const Platform amd = gpu_platform(Vendor::amd);
      return &amd;
    }
  }
  return nullptr;
}

}  // namespace fathom::hip
