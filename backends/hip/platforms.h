// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/fathom_hip.h"
#include "backends/hip/host_kernels.h"
#include "backends/hip/launcher.h"

#include <string>

namespace fathom::hip {

/// What a call by the C interface may name.
struct Platform {
  bool host_memory = false;
  const Launcher* launcher = nullptr;
  std::string why_absent;  ///< Empty if there is a launcher.
};

/// Null if no platform has this number.
const Platform* find_platform(fathom_hip_platform number);

/// The executor; absent in a build without it.
Platform host_platform(Target target);

}  // namespace fathom::hip
