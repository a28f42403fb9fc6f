// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/worker/backend.h"

#include <memory>

namespace fathom::eigen {

/// The backend `eigen`: dense attention on the CPU, always present.
std::unique_ptr<worker::Backend> make_backend();

}  // namespace fathom::eigen
