// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/dense_mask.h"

#include <algorithm>
#include <variant>

namespace fathom::sdpa {
namespace {

/// A query and a key as token positions of one sequence: queries are its last tokens.
struct Pair {
  const Sequence& sequence;
  Index query;     ///< Row number.
  Index key;       ///< Column number, which is also the key's position.
  Index position;  ///< Of the query.
};

bool sees(const Causal& term, const Pair& pair) {
  return pair.key <= (term.corner == Corner::top_left ? pair.query : pair.position);
}

bool sees(const Window& term, const Pair& pair) {
  const Index distance = pair.key - pair.position;
  return (term.left == -1 || -distance <= term.left) &&
         (term.right == -1 || distance <= term.right);
}

bool sees(const PrefixLm& /*term*/, const Pair& pair) {
  const bool asks_from_prefix = pair.position < pair.sequence.prefix_length;
  return asks_from_prefix ? pair.key < pair.sequence.prefix_length : pair.key <= pair.position;
}

/// Positions before the sequence (more queries than keys) belong to the first document.
std::size_t document_of(const Document& term, Index position) {
  std::size_t number = 0;
  for (Index end = 0; number < term.lengths.size(); ++number) {
    end += term.lengths[number];
    if (position < end) break;
  }
  return number;
}

bool sees(const Document& term, const Pair& pair) {
  return document_of(term, pair.position) == document_of(term, pair.key);
}

}  // namespace

bool attends(const Mask& mask, const Sequence& sequence, Index query, Index key) {
  const Pair pair{sequence, query, key, query + sequence.key_length - sequence.query_length};
  return std::all_of(mask.terms.begin(), mask.terms.end(), [&](const MaskTerm& any) {
    return std::visit([&](const auto& term) { return sees(term, pair); }, any);
  });
}

}  // namespace fathom::sdpa
