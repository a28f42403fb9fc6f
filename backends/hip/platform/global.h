// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace fathom::hip {

/// An array in global memory, laid out alike on all platforms. Only the executor reads the number
/// of elements, which it checks accesses against, and the name, which its alarms give.
template <typename T>
struct Global {
  T* data = nullptr;
  std::int64_t size = 0;
  const char* name = "";
};

}  // namespace fathom::hip
