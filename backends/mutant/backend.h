// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/mutant/mutants.h"
#include "harness/worker/backend.h"

#include <memory>
#include <vector>

namespace fathom::mutant {

/// The backend `mutant:honest`: the kernel without a defect, the clean twin of all others.
std::unique_ptr<worker::Backend> make_honest_backend();

/// The backend `mutant:NAME` of one row of the table.
std::unique_ptr<worker::Backend> make_backend(const Mutant& mutant);

/// The honest twin, then all rows of the table.
std::vector<std::unique_ptr<worker::Backend>> make_all_backends();

}  // namespace fathom::mutant
