// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/launcher.h"
#include "backends/hip/memory.h"

#include <string>

namespace fathom::hip {

enum class Vendor { amd, nvidia };

/// Two marks in a stream and the time between them.
class Stopwatch {
 public:
  virtual ~Stopwatch() = default;
  virtual void start() = 0;
  /// Nanoseconds since start() on the GPU's own clock; waits for what lies between.
  [[nodiscard]] virtual double stop_ns() = 0;
};

/// A GPU that this build has kernels for, and its default stream.
struct Gpu {
  std::string name;  ///< `cuda:0 NVIDIA H100`
  const Launcher& launcher;
  Memory& memory;
  Stopwatch& stopwatch;
};

/// A GPU, or why there is none.
struct GpuOrWhy {
  const Gpu* gpu = nullptr;
  std::string why_absent;
};
/// Looks once in a process. What it finds lives as long as the process.
const GpuOrWhy& find_gpu(Vendor vendor);

}  // namespace fathom::hip
