// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/kernel/configs.h"

// The kernels as entry points of a code object: fathom_<kernel>_<dtype>_d<head dim>. Define
// FATHOM_HIP_DIM to build those of one head dim only.

#if defined(FATHOM_HIP_AMD)
using Device = fathom::hip::Amd;
#define FATHOM_KERNEL(threads, waves)                                              \
  extern "C" __attribute__((global, amdgpu_flat_work_group_size(threads, threads), \
                            amdgpu_waves_per_eu(waves))) void
#define FATHOM_ARENA(bytes)                                \
  __attribute__((shared, aligned(16))) char memory[bytes]; \
  const fathom::hip::Arena arena {                         \
    (FATHOM_SHARED char*)memory                            \
  }
#else
using Device = fathom::hip::Nvidia;
#define FATHOM_KERNEL(threads, waves) extern "C" __global__ __launch_bounds__(threads, 1) void
#define FATHOM_ARENA(bytes)                      \
  extern __shared__ __align__(16) char memory[]; \
  const fathom::hip::Arena arena {               \
    memory                                       \
  }
#endif

/// Waves a SIMD unit shall hold, so that the compiler knows how many registers it has: README.md.
constexpr int forward_waves(int dim) {
  return dim == 256 ? 1 : 2;
}
constexpr int key_gradient_waves(int dim) {
  return dim >= 96 ? 1 : 2;
}
constexpr int query_gradient_waves(int dim) {
  return dim == 256 ? 1 : 2;
}

#define FATHOM_KERNELS(name, Element, dim)                                                       \
  using Forward_##name##_##dim = Device::ForwardOf<fathom::hip::Element, dim>::Type;             \
  FATHOM_KERNEL(Forward_##name##_##dim::threads, forward_waves(dim))                             \
  fathom_forward_##name##_d##dim(fathom::hip::Arguments a) {                                     \
    FATHOM_ARENA(fathom::hip::ForwardPlan<Forward_##name##_##dim>::bytes);                       \
    fathom::hip::forward<Forward_##name##_##dim>(a, arena);                                      \
  }                                                                                              \
  using KeyGradient_##name##_##dim = Device::KeyGradientOf<fathom::hip::Element, dim>::Type;     \
  FATHOM_KERNEL(KeyGradient_##name##_##dim::threads, key_gradient_waves(dim))                    \
  fathom_key_gradient_##name##_d##dim(fathom::hip::Arguments a) {                                \
    FATHOM_ARENA(fathom::hip::KeyGradientPlan<KeyGradient_##name##_##dim>::bytes);               \
    fathom::hip::key_gradient<KeyGradient_##name##_##dim>(a, arena);                             \
  }                                                                                              \
  using QueryGradient_##name##_##dim = Device::QueryGradientOf<fathom::hip::Element, dim>::Type; \
  FATHOM_KERNEL(QueryGradient_##name##_##dim::threads, query_gradient_waves(dim))                \
  fathom_query_gradient_##name##_d##dim(fathom::hip::Arguments a) {                              \
    FATHOM_ARENA(fathom::hip::QueryGradientPlan<QueryGradient_##name##_##dim>::bytes);           \
    fathom::hip::query_gradient<QueryGradient_##name##_##dim>(a, arena);                         \
  }                                                                                              \
  FATHOM_KERNEL(fathom::hip::row_data_threads, 1)                                                \
  fathom_row_data_##name##_d##dim(fathom::hip::Arguments a) {                                    \
    using namespace fathom::hip;                                                                 \
    row_data<Element, dim, row_data_threads>(a, wave_id() * Device::wave + lane_id());           \
  }

#if !defined(FATHOM_HIP_DIM) || FATHOM_HIP_DIM == 64
FATHOM_KERNELS(bf16, Bf16, 64)
FATHOM_KERNELS(f16, Half, 64)
#endif
#if !defined(FATHOM_HIP_DIM) || FATHOM_HIP_DIM == 96
FATHOM_KERNELS(bf16, Bf16, 96)
FATHOM_KERNELS(f16, Half, 96)
#endif
#if !defined(FATHOM_HIP_DIM) || FATHOM_HIP_DIM == 128
FATHOM_KERNELS(bf16, Bf16, 128)
FATHOM_KERNELS(f16, Half, 128)
#endif
#if !defined(FATHOM_HIP_DIM) || FATHOM_HIP_DIM == 256
FATHOM_KERNELS(bf16, Bf16, 256)
FATHOM_KERNELS(f16, Half, 256)
#endif
