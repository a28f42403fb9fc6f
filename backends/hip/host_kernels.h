// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/geometry.h"

#include <span>

namespace fathom::hip {

/// Whose matrix instructions the executor emulates, and so how the kernels are cut.
enum class Target : std::uint8_t { amd, amd_narrow, nvidia };

/// What one lane of a kernel does.
using HostLane = void (*)(const Arguments&);

std::span<const KernelSet<HostLane>> amd_kernels();
std::span<const KernelSet<HostLane>> amd_narrow_kernels();
std::span<const KernelSet<HostLane>> nvidia_kernels();

std::span<const KernelSet<HostLane>> kernels_of(Target target);

}  // namespace fathom::hip
