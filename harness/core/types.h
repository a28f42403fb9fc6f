// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace fathom {

/// Every extent, offset and stride, in elements unless a name says bytes.
using Index = std::int64_t;

}  // namespace fathom
