// SPDX-License-Identifier: Apache-2.0
#include "harness/protocol/shared_memory.h"

#include "harness/core/error.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace fathom {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw InfrastructureError("shared memory: " + what + ": " + std::strerror(errno));
}

}  // namespace

SharedMemory::SharedMemory(Index bytes) : size_(bytes) {
  fd_ = UniqueFd(::memfd_create("fathom", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd_) fail("memfd_create");
  if (::ftruncate(fd_.get(), bytes) != 0) fail("cannot get " + std::to_string(bytes) + " bytes");
  if (::fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) fail("seal");
}

void SharedMemory::write(Index offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("pwrite");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
}

void SharedMemory::read(Index offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(fd_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("pread");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
}

Mapping::Mapping(int fd, Index bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) fail("mmap");
  bytes_ = {static_cast<std::byte*>(at), size};
}

Mapping::Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace fathom
