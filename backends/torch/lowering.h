// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"
#include "harness/worker/backend.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sdpa {

/// How a Problem that torch's scaled_dot_product_attention does not know is answered with it.
struct Lowering {
  std::string_view name;
  bool loop = false;        ///< One call per sequence instead of one for the batch.
  bool dense_mask = false;  ///< The mask as a tensor instead of the op's own flag.
};

/// In the order they are tried.
inline constexpr std::array lowerings{
    Lowering{"native", false, false},
    Lowering{"dense_mask", false, true},
    Lowering{"loop", true, false},
    Lowering{"loop+dense_mask", true, true},
};

std::optional<Lowering> find_lowering(std::string_view name);

/// One call of the op: sequences [first, first + count), all of equal lengths. The rows are tokens
/// of a packed tensor, or rows of each batch entry of a dense one.
struct Call {
  Index first = 0;
  Index count = 0;
  Index query_begin = 0;
  Index query_length = 0;
  Index key_begin = 0;
  Index key_length = 0;
  bool is_causal = false;  ///< torch's flag: key <= query, from the top-left corner.
  bool operator==(const Call&) const = default;
};

/// Why the lowering cannot say this Problem; empty if it can.
std::optional<worker::Refusal> why_not_lowered(const Problem& problem, const Lowering& lowering);

/// The calls that answer the Problem together. Needs why_not_lowered to be empty.
std::vector<Call> lower(const Problem& problem, const Lowering& lowering);

}  // namespace fathom::sdpa
