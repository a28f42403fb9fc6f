// SPDX-License-Identifier: Apache-2.0
// The kernels of one head dim, FATHOM_HIP_DIM, and the table by which the launcher finds them.
#include "backends/hip/kernel/device_kernels.hip"
#include "backends/hip/platform/gpu/kernels.h"
#include "backends/hip/platform/gpu/runtime.h"

#define FATHOM_JOINED(a, b, c) a##b##c
#define FATHOM_NAME(a, b, c) FATHOM_JOINED(a, b, c)
#define FATHOM_ENTRY(kernel, type, shape)                                    \
  {                                                                          \
    shape, reinterpret_cast<const void*>(                                    \
               &FATHOM_NAME(fathom_##kernel##_##type##_d, FATHOM_HIP_DIM, )) \
  }
#define FATHOM_SET(type, Element)                                               \
  KernelSet<const void*> {                                                      \
    Kernels<Element>::element, FATHOM_HIP_DIM, {                                \
      FATHOM_ENTRY(forward, type, Kernels<Element>::forward),                   \
          FATHOM_ENTRY(row_data, type, Kernels<Element>::row_data),             \
          FATHOM_ENTRY(key_gradient, type, Kernels<Element>::key_gradient),     \
          FATHOM_ENTRY(query_gradient, type, Kernels<Element>::query_gradient), \
    }                                                                           \
  }

namespace fathom::hip {
namespace {
template <typename Element>
using Kernels = KernelsOf<Device, Element, FATHOM_HIP_DIM>;
}

GpuKernels FATHOM_NAME(gpu_kernels_, FATHOM_HIP_DIM, )() {
  return {FATHOM_SET(bf16, Bf16), FATHOM_SET(f16, Half)};
}

}  // namespace fathom::hip
