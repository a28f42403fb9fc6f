// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/attention.h"

#include <optional>
#include <string>
#include <string_view>

namespace fathom::sdpa {

/// torch's own words on why scaled_dot_product_attention would not use this variant (sdpa:flash,
/// sdpa:efficient, sdpa:cudnn) for such operands; empty if it would. The raw ops check less than
/// torch does before it calls them. Runs no attention.
std::optional<std::string> why_torch_refuses(std::string_view variant, const Operands& operands);

}  // namespace fathom::sdpa
