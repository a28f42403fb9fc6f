// SPDX-License-Identifier: Apache-2.0
#pragma once

// The fragment interface of the platform that is compiled for: the same names in all three.
#include "backends/hip/platform/layout.h"

#if defined(FATHOM_HIP_AMD)
#include "backends/hip/platform/amd.h"
#elif defined(FATHOM_HIP_NVIDIA)
#include "backends/hip/platform/nvidia.h"
#else
#include "backends/hip/platform/host/platform.h"
#endif
