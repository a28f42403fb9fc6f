// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"
#include "harness/worker/backend.h"

#include <array>
#include <optional>
#include <string_view>
#include <vector>

// From a Problem to calls of FlashAttention-3's op. No torch in here.

namespace fathom::fa3 {

/// `native` is one call. `two_pass` answers prefix_lm with two calls into one output, as HRM-Text
/// does: the queries of the prefixes on the keys of the prefixes, in both directions, and then all
/// other queries on all keys, causally.
inline constexpr std::string_view native = "native";
inline constexpr std::string_view two_pass = "two_pass";
inline constexpr std::array lowerings{native, two_pass};

/// One call of the op. The rows that it writes are those of its queries.
struct Call {
  /// Packed tokens: where sequences start, n + 1 numbers. Empty: a dense batch.
  std::vector<Index> cu_seqlens_q, cu_seqlens_k;
  /// How many tokens count from there. Empty: all up to the next start.
  std::vector<Index> seqused_q, seqused_k;
  Index max_seqlen_q = 0;
  Index max_seqlen_k = 0;
  bool is_causal = false;  ///< From the bottom-right corner.
  Index window_left = -1;  ///< -1 is infinite.
  Index window_right = -1;
  bool operator==(const Call&) const = default;
};

/// Why the lowering cannot say this Problem; empty if it can.
std::optional<worker::Refusal> why_not_lowered(const Problem& problem, std::string_view lowering);

/// The calls that answer the Problem together, none of them without queries. Needs why_not_lowered
/// to be empty.
std::vector<Call> lower(const Problem& problem, std::string_view lowering);

}  // namespace fathom::fa3
