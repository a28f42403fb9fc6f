// SPDX-License-Identifier: Apache-2.0
#include "harness/core/visible.h"

namespace fathom {
namespace {

/// Where the query stands on the key axis: queries are the last tokens of the sequence.
Index shift_of(const Sequence& s) {
  return s.key_length - s.query_length;
}

KeyRange keys_of(const Causal& term, const Sequence& s, Index query) {
  return {0, query + 1 + (term.corner == Corner::bottom_right ? shift_of(s) : 0)};
}

KeyRange keys_of(const Window& term, const Sequence& s, Index query) {
  const Index position = query + shift_of(s);
  return {term.left < 0 ? 0 : position - term.left,
          term.right < 0 ? s.key_length : position + term.right + 1};
}

KeyRange keys_of(const PrefixLm&, const Sequence& s, Index query) {
  const Index position = query + shift_of(s);
  return {0, position < s.prefix_length ? s.prefix_length : position + 1};
}

KeyRange keys_of(const Document& term, const Sequence& s, Index query) {
  const Index position = query + shift_of(s);
  Index begin = 0;
  for (const Index length : term.lengths) {
    if (position < begin + length) return {begin, begin + length};
    begin += length;
  }
  return {begin, s.key_length};
}

}  // namespace

KeyRange visible_keys(const Mask& mask, const Sequence& sequence, Index query) {
  KeyRange range{0, sequence.key_length};
  for (const MaskTerm& term : mask.terms) {
    const KeyRange keys =
        std::visit([&](const auto& t) { return keys_of(t, sequence, query); }, term);
    range.begin = std::max(range.begin, keys.begin);
    range.end = std::min(range.end, keys.end);
  }
  return range.begin < range.end ? range : KeyRange{};
}

bool visible(const Mask& mask, const Sequence& sequence, Index query, Index key) {
  const KeyRange range = visible_keys(mask, sequence, query);
  return range.begin <= key && key < range.end;
}

}  // namespace fathom
