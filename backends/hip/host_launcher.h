// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/host_kernels.h"
#include "backends/hip/launcher.h"
#include "backends/hip/platform/host/executor.h"

namespace fathom::hip {

/// One OS thread for each core, everything in order.
host::Schedule all_cores();

/// Runs kernels on the executor. An alarm throws, unless there is a place for it.
class HostLauncher : public Launcher {
 public:
  explicit HostLauncher(Target target, host::Schedule schedule = all_cores(),
                        host::Alarms* into = nullptr)
      : target_(target), schedule_(schedule), into_(into) {}
  void launch(Kernel kernel, ElementType element, int head_dim, const Arguments& arguments,
              void* stream) const override;

 private:
  Target target_;
  host::Schedule schedule_;
  host::Alarms* into_;
};

}  // namespace fathom::hip
