// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/worker/backend.h"

#include <memory>
#include <vector>

namespace fathom::sdpa {

/// sdpa:math, sdpa:flash, sdpa:efficient and sdpa:cudnn, those that torch does not have on the
/// device with the reason why they are absent. `device`: cpu, cuda, or empty to choose.
std::vector<std::unique_ptr<worker::Backend>> make_backends(const std::string& device);

}  // namespace fathom::sdpa
