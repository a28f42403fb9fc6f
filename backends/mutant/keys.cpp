// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/keys.h"

#include <algorithm>

namespace fathom::mutant {
namespace {

struct KeysOfTerm {
  const Sequence& sequence;
  Index query;
  Index position;  ///< Of the query on the key axis, the last query standing on the last key.

  Keys operator()(const Causal& causal) const {
    return {0, (causal.corner == Corner::top_left ? query : position) + 1};
  }
  Keys operator()(const Window& window) const {
    return {window.left < 0 ? 0 : position - window.left,
            window.right < 0 ? sequence.key_length : position + window.right + 1};
  }
  Keys operator()(const PrefixLm& /*term*/) const {
    const Index prefix = sequence.prefix_length;
    return {0, position < prefix ? prefix : position + 1};
  }
  Keys operator()(const Document& document) const {
    Index start = 0;
    for (const Index length : document.lengths) {
      if (position < start + length) return {start, start + length};
      start += length;
    }
    return {start, sequence.key_length};
  }
};

}  // namespace

Keys keys_of_term(const MaskTerm& term, const Sequence& sequence, Index query) {
  const Index position = query + sequence.key_length - sequence.query_length;
  return std::visit(KeysOfTerm{sequence, query, position}, term);
}

Keys intersection(const Keys& a, const Keys& b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end), std::max(a.hole, b.hole)};
}

}  // namespace fathom::mutant
