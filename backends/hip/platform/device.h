// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which of the three platforms this translation unit is for, and how it spells a device function.
#if defined(FATHOM_HIP_AMD)
#define FATHOM_DEVICE __attribute__((device, always_inline)) inline
#define FATHOM_UNROLL _Pragma("unroll")
#elif defined(FATHOM_HIP_NVIDIA)
#define FATHOM_DEVICE __device__ __forceinline__
#define FATHOM_UNROLL _Pragma("unroll")
#else
#define FATHOM_HIP_HOST
#define FATHOM_DEVICE inline
#define FATHOM_UNROLL
#endif
