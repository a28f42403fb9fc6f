// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/memory.h"

#include <cstring>
#include <new>

namespace fathom::hip {
namespace {
constexpr std::align_val_t aligned{256};
}

void* HostMemory::allocate(std::size_t bytes) {
  return ::operator new(bytes, aligned);
}
void HostMemory::release(void* data) noexcept {
  ::operator delete(data, aligned);
}
void HostMemory::clear(void* data, std::size_t bytes) {
  if (bytes != 0) std::memset(data, 0, bytes);
}
void HostMemory::upload(void* to, const void* from, std::size_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
}
void HostMemory::download(void* to, const void* from, std::size_t bytes) {
  upload(to, from, bytes);
}

}  // namespace fathom::hip
