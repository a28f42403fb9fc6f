// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/worker/backend.h"

#include <c10/core/Device.h>

#include <functional>
#include <optional>
#include <string>

namespace fathom::sdpa {

/// Where torch computes: the CPU, or the first GPU (CUDA and ROCm alike, no vendor's header).
class Device {
 public:
  /// `wanted`: cpu, cuda, or empty for cuda where there is one.
  explicit Device(const std::string& wanted);

  [[nodiscard]] bool is_gpu() const { return where_.type() != c10::DeviceType::CPU; }
  [[nodiscard]] c10::Device where() const { return where_; }
  [[nodiscard]] const std::string& name() const { return name_; }  ///< `cpu`, `cuda:0 NVIDIA H100`.
  [[nodiscard]] const std::string& absent() const { return absent_; }  ///< Why it is not there.

  /// torch's version, and on a CPU the kernels it chose and the number of threads.
  [[nodiscard]] std::string version() const;
  /// Of a GPU of NVIDIA's, 90 for an H100; empty where no CUDA runtime is loaded.
  [[nodiscard]] std::optional<int> compute_capability() const;
  /// Whether torch runs its vectorised CPU kernels.
  [[nodiscard]] bool vectorised() const;

  void synchronize() const;
  /// Device events on a GPU, the monotonic clock on a CPU.
  [[nodiscard]] worker::TimeAnswer time(const worker::TimeRequest& request,
                                        const std::function<void()>& body) const;
  /// Allocator peak on a GPU, peak resident growth on a CPU.
  [[nodiscard]] MemoryUse memory(const std::function<void()>& body, Index output_bytes) const;

 private:
  c10::Device where_{c10::DeviceType::CPU};
  std::string name_ = "cpu";
  std::string absent_;
};

}  // namespace fathom::sdpa
