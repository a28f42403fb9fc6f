// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fathom {

/// Which corner of the score matrix the causal diagonal passes through when the query and key
/// lengths differ: FlashAttention >= 2.1 is bottom-right, torch's `is_causal` is top-left.
enum class Corner : std::uint8_t { top_left, bottom_right };

/// key <= query (+ key_length - query_length for bottom_right).
struct Causal {
  Corner corner = Corner::bottom_right;
  bool operator==(const Causal&) const = default;
};

/// query + shift - left <= key <= query + shift + right, shift = key_length - query_length, both
/// ends inclusive; -1 is infinite (the convention of FlashAttention-3).
struct Window {
  Index left = -1;
  Index right = -1;
  bool operator==(const Window&) const = default;
};

/// The first prefix_length tokens of a sequence see each other in both directions and nothing
/// else; every later token sees all keys up to itself (HRM-Text). Queries are the last
/// query_length tokens of the sequence, as in decoding with a KV cache.
struct PrefixLm {
  bool operator==(const PrefixLm&) const = default;
};

/// Packed documents inside one sequence: token positions are cut at the running sums of `lengths`
/// (what is left over is one more document), and a query sees keys of its own document only. A
/// position before 0 (more queries than keys) belongs to the first document.
struct Document {
  std::vector<Index> lengths;
  bool operator==(const Document&) const = default;
};

using MaskTerm = std::variant<Causal, Window, PrefixLm, Document>;

/// Which scores take part in the softmax: those that every term lets through.
struct Mask {
  std::vector<MaskTerm> terms;  ///< Empty: every query sees every key of its sequence.
  bool operator==(const Mask&) const = default;
};

template <typename Term>
bool has(const Mask& mask) {
  for (const MaskTerm& term : mask.terms) {
    if (std::holds_alternative<Term>(term)) return true;
  }
  return false;
}

/// `full`, or terms joined by `&`: `causal(bottom_right)&window(128,0)`, `prefix_lm`,
/// `document(3,5,8)`. Inverse of parse_mask.
std::string to_string(const Mask& mask);

/// Throws DataError with one sentence if the text is no mask.
Mask parse_mask(std::string_view text);

/// The first word of each term, joined by `&`: the family a matrix groups by, e.g. `causal&window`.
std::string family(const Mask& mask);

}  // namespace fathom
