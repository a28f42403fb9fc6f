// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reference/kernels.h"

#include <vector>

namespace fathom::reference {

/// The builds of the kernels that this CPU can run, fastest first; never empty.
std::vector<Kernels> runnable_kernels();

}  // namespace fathom::reference
