// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

namespace fathom::hip {

/// Memory that the kernels of a platform reach.
class Memory {
 public:
  virtual ~Memory() = default;
  /// Aligned to 256 bytes. Throws std::bad_alloc where there is none left.
  [[nodiscard]] virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* data) noexcept = 0;
  virtual void clear(void* data, std::size_t bytes) = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  /// Waits for what is under way.
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;
};

/// Owns one allocation.
class Buffer {
 public:
  Buffer(Memory& memory, std::size_t bytes)
      : memory_(memory), data_(memory.allocate(bytes)), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept
      : memory_(other.memory_), data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() {
    if (data_ != nullptr) memory_.release(data_);
  }
  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  Memory& memory_;
  void* data_;
  std::size_t bytes_;
};

/// Memory of this process.
class HostMemory : public Memory {
 public:
  [[nodiscard]] void* allocate(std::size_t bytes) override;
  void release(void* data) noexcept override;
  void clear(void* data, std::size_t bytes) override;
  void upload(void* to, const void* from, std::size_t bytes) override;
  void download(void* to, const void* from, std::size_t bytes) override;
};

}  // namespace fathom::hip
