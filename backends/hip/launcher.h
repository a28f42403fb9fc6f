// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/geometry.h"

namespace fathom::hip {

/// Starts kernels on one platform: the executor on the host, or a GPU.
class Launcher {
 public:
  virtual ~Launcher() = default;
  /// On a GPU the kernel is put into `stream` and not waited for; elsewhere it has ended. Throws if
  /// the platform refuses.
  virtual void launch(Kernel kernel, ElementType element, int head_dim, const Arguments& arguments,
                      void* stream) const = 0;
};

}  // namespace fathom::hip
