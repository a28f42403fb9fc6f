// SPDX-License-Identifier: Apache-2.0
#include "harness/core/observation.h"

#include <array>

namespace fathom {

std::string_view to_string(Transport transport) {
  constexpr std::array<std::string_view, 3> words{"in_place", "copied", "not_given"};
  return words[static_cast<std::size_t>(transport)];
}

}  // namespace fathom
