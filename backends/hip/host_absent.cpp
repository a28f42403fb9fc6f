// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platforms.h"

namespace fathom::hip {

/// In place of host_launcher.cpp where the executor was not built.
Platform host_platform(Target /*target*/) {
  return {true, nullptr, FATHOM_HIP_WHY_NO_HOST};
}

}  // namespace fathom::hip
