// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"
#include "harness/protocol/unique_fd.h"

#include <cstddef>
#include <span>

namespace fathom {

/// The driver's side of one execution's memory: an anonymous file, sealed against shrinking and
/// growing. It is read and written by pread and pwrite, never mapped, so that no worker can change
/// or fault what the driver looks at.
class SharedMemory {
 public:
  /// Throws InfrastructureError if the kernel has no room.
  explicit SharedMemory(Index bytes);
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Index size() const { return size_; }
  void write(Index offset, std::span<const std::byte> bytes);
  void read(Index offset, std::span<std::byte> bytes) const;

 private:
  UniqueFd fd_;
  Index size_ = 0;
};

/// The worker's side: the same memory, mapped readable and writable.
class Mapping {
 public:
  Mapping() = default;
  Mapping(int fd, Index bytes);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace fathom
