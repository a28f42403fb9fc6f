// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/explain/scope.h"

#include <optional>
#include <string>

namespace fathom {

/// If the mask alone tells the rows of a box from the other rows of a sequence: `the rows that see
/// key 0`. Then a fault of that key, or of its mask, looks just like a fault of these rows.
std::optional<std::string> singled_out(const Problem& problem, const TensorErrors& errors,
                                       const Scope& box);

}  // namespace fathom
