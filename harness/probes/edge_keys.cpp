// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/edge_keys.h"

#include <algorithm>
#include <array>

namespace fathom::probing {
namespace {

constexpr std::array<Index, 7> tiles{64, 128, 32, 16, 80, 192, 176};

class Edges {
 public:
  Edges(Index keys, Index most) : most_(static_cast<std::size_t>(most)), taken_(keys) {}

  void add(Index key) {
    const auto keys = static_cast<Index>(taken_.size());
    if (key < 0 || key >= keys || full() || taken_[static_cast<std::size_t>(key)]) return;
    taken_[static_cast<std::size_t>(key)] = true;
    list_.push_back(key);
  }
  /// The last key before an edge and the first one behind it.
  void add_edge(Index edge) { add(edge - 1), add(edge); }
  [[nodiscard]] bool full() const { return list_.size() >= most_; }
  [[nodiscard]] std::vector<Index> take() { return std::move(list_); }

 private:
  std::size_t most_;
  std::vector<bool> taken_;
  std::vector<Index> list_;
};

/// Ends of one term of the mask; those of a window move with the row, so its first rows speak.
struct AddTerm {
  Edges& edges;
  const Sequence& sequence;

  void operator()(const Causal&) const {
    edges.add_edge(sequence.key_length - sequence.query_length);
  }
  void operator()(const Window& window) const {
    const Index shift = sequence.key_length - sequence.query_length;
    if (window.left >= 0) edges.add_edge(sequence.key_length - 1 - window.left);
    if (window.right >= 0) edges.add_edge(shift + window.right + 1);
  }
  void operator()(const PrefixLm&) const { edges.add_edge(sequence.prefix_length); }
  void operator()(const Document& document) const {
    Index end = 0;
    for (const Index length : document.lengths) edges.add_edge(end += length);
  }
};

}  // namespace

std::vector<Index> edge_keys(const Problem& problem, Index sequence, Index most) {
  const Sequence& lengths = problem.sequences[static_cast<std::size_t>(sequence)];
  const Index keys = lengths.key_length;
  Edges edges(keys, most);
  edges.add(0);
  edges.add(keys - 1);
  for (const MaskTerm& term : problem.mask.terms) std::visit(AddTerm{edges, lengths}, term);
  edges.add(keys - 2);
  edges.add(1);
  for (const Index tile : tiles) edges.add_edge(tile);
  for (const Index tile : tiles) edges.add_edge(keys / tile * tile);
  // The rest of the edges, at strides that reach the whole sequence before they come back.
  for (const Index tile : tiles) {
    const Index count = keys / tile;
    for (Index k = 0; k < count && !edges.full(); ++k) {
      edges.add_edge((k * 7919 % count + 1) * tile);
    }
  }
  return edges.take();
}

}  // namespace fathom::probing
