// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/mutants.h"
#include "backends/mutant/places.h"

#include <algorithm>
#include <array>

// Defects of the mask: which keys a query row sees, in both passes.

namespace fathom::mutant {
namespace {

Keys all_keys(const QueryRow& row) {
  return {0, row.at.lengths().key_length};
}

template <typename Term>
Keys ignored(const MaskTerm& term, const QueryRow& row) {
  return is<Term>(term) ? all_keys(row) : honest::term(term, row);
}

Keys no_mask(const MaskTerm& /*term*/, const QueryRow& row) {
  return all_keys(row);
}

template <Corner corner>
Keys causal_from(const MaskTerm& term, const QueryRow& row) {
  return honest::term(is<Causal>(term) ? MaskTerm{Causal{corner}} : term, row);
}

/// Moves both ends of what the terms of one kind let through.
template <typename Term, Index by_begin, Index by_end>
Keys moved(const MaskTerm& term, const QueryRow& row) {
  Keys keys = honest::term(term, row);
  if (!is<Term>(term)) return keys;
  keys.begin += by_begin;
  keys.end += by_end;
  return keys;
}

Keys causal_whole_tiles(const MaskTerm& term, const QueryRow& row) {
  Keys keys = honest::term(term, row);
  if (is<Causal>(term) && keys.end > 0) keys.end = tile_count(keys.end) * tile_size;
  return keys;
}

/// The left end of a window one key further out (by = 1) or in (by = -1).
template <Index by>
Keys window_longer(const MaskTerm& term, const QueryRow& row) {
  const auto* window = std::get_if<Window>(&term);
  if (window == nullptr || window->left < 0) return honest::term(term, row);
  Keys keys = honest::term(term, row);
  keys.begin -= by;
  return keys;
}

template <Index Window::*side>
Keys window_unbounded(const MaskTerm& term, const QueryRow& row) {
  const auto* window = std::get_if<Window>(&term);
  if (window == nullptr) return honest::term(term, row);
  Window open = *window;
  open.*side = -1;
  return honest::term(open, row);
}

Keys window_unshifted(const MaskTerm& term, const QueryRow& row) {
  if (!is<Window>(term)) return honest::term(term, row);
  Sequence square = row.at.lengths();
  square.query_length = square.key_length;  // Queries stand on the first keys, not the last.
  return keys_of_term(term, square, row.query);
}

Keys prefix_of(const MaskTerm& term, const QueryRow& row, Index prefix) {
  Sequence changed = row.at.lengths();
  changed.prefix_length = prefix;
  return is<PrefixLm>(term) ? keys_of_term(term, changed, row.query) : honest::term(term, row);
}

Keys no_prefix(const MaskTerm& term, const QueryRow& row) {
  return prefix_of(term, row, 0);
}

Keys longer_prefix(const MaskTerm& term, const QueryRow& row) {
  return prefix_of(term, row, row.at.lengths().prefix_length + 1);
}

Keys next_prefix(const MaskTerm& term, const QueryRow& row) {
  const Index next = (row.at.sequence + 1) % sequence_count(row.at);
  return prefix_of(term, row,
                   row.at.problem().sequences[static_cast<std::size_t>(next)].prefix_length);
}

Keys prefix_sees_all(const MaskTerm& term, const QueryRow& row) {
  const Sequence& lengths = row.at.lengths();
  const Index position = row.query + lengths.key_length - lengths.query_length;
  const bool in_prefix = is<PrefixLm>(term) && position < lengths.prefix_length;
  return in_prefix ? all_keys(row) : honest::term(term, row);
}

/// The row with one key less, wherever it is.
Keys without(Keys keys, Index key) {
  keys.hole = key;
  return keys;
}

Keys drop_key(const QueryRow& row) {
  return without(honest::visible(row), row.at.lengths().key_length / 3);
}

Keys drop_key_one_row(const QueryRow& row) {
  const Keys keys = honest::visible(row);
  const bool here = row.at.head == 0 && row.query == row.at.lengths().query_length / 2;
  return here && !keys.empty() ? without(keys, (keys.begin + keys.end) / 2) : keys;
}

Keys drop_tile_edge(const QueryRow& row) {
  const Index tiles = tile_count(row.at.lengths().key_length);
  return without(honest::visible(row), tiles / 2 * tile_size);
}

Keys without_first(const QueryRow& row) {
  return intersection(honest::visible(row), {1, row.at.lengths().key_length});
}

Keys without_last(const QueryRow& row) {
  return intersection(honest::visible(row), {0, row.at.lengths().key_length - 1});
}

Keys without_tail(const QueryRow& row) {
  const Index whole = row.at.lengths().key_length / tile_size * tile_size;
  const Keys keys = honest::visible(row);
  return whole == 0 ? keys : intersection(keys, {0, whole});
}

/// Rows that see the last key see `more` keys behind it.
Keys beyond_the_end(const QueryRow& row, Index more) {
  Keys keys = honest::visible(row);
  if (!keys.empty() && keys.end == row.at.lengths().key_length) keys.end += more;
  return keys;
}

Keys zero_key(const QueryRow& row) {
  return beyond_the_end(row, 1);
}

Keys whole_last_tile(const QueryRow& row) {
  const Index length = row.at.lengths().key_length;
  return beyond_the_end(row, tile_count(length) * tile_size - length);
}

constexpr std::array mask_table{
    Mutant{"mask_ignored", "every query sees every key of its sequence", "", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = no_mask; }},
    Mutant{"no_causal", "the causal term is left out of the mask", "facebookresearch/xformers#103",
           fwd, Axis::mask_edge, [](Seams& s) { s.term = ignored<Causal>; }},
    Mutant{"causal_top_left", "the diagonal starts in the top-left corner",
           "Dao-AILab/flash-attention#282, Dao-AILab/flash-attention#402", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = causal_from<Corner::top_left>; }},
    Mutant{"causal_bottom_right", "the diagonal ends in the bottom-right corner",
           "pytorch/pytorch#108108", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = causal_from<Corner::bottom_right>; }},
    Mutant{"causal_plus_one", "every row sees the first key behind the diagonal", "", fwd,
           Axis::mask_edge, [](Seams& s) { s.term = moved<Causal, 0, 1>; }},
    Mutant{"causal_minus_one", "no row sees the key on the diagonal", "", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = moved<Causal, 0, -1>; }},
    Mutant{"causal_tile_unmasked", "the tile on the diagonal is not masked",
           "Dao-AILab/flash-attention#1582", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = causal_whole_tiles; }},
    Mutant{"window_plus_one", "a window of W keys to the left holds W + 1",
           "huggingface/transformers#39408, ml-explore/mlx-lm#390", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = window_longer<1>; }},
    Mutant{"window_minus_one", "a window of W keys to the left holds W - 1",
           "huggingface/transformers#41228", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = window_longer<-1>; }},
    Mutant{"window_right_ignored", "the right end of the window is infinite", "", fwd,
           Axis::mask_edge, [](Seams& s) { s.term = window_unbounded<&Window::right>; }},
    Mutant{"window_left_ignored", "the left end of the window is infinite", "", fwd,
           Axis::mask_edge, [](Seams& s) { s.term = window_unbounded<&Window::left>; }},
    Mutant{"window_shift_ignored", "the window is laid round key = query, not round the last key",
           "", fwd, Axis::mask_edge, [](Seams& s) { s.term = window_unshifted; }},
    Mutant{"prefix_ignored", "PrefixLM is taken for causal", "", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = no_prefix; }},
    Mutant{"prefix_plus_one", "the prefix is one token longer", "", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = longer_prefix; }},
    Mutant{"prefix_of_neighbour", "every sequence gets the prefix length of the next one", "", fwd,
           Axis::mask_edge | Axis::sequence, [](Seams& s) { s.term = next_prefix; }},
    Mutant{"prefix_sees_all", "the tokens of the prefix see the response too", "", fwd,
           Axis::mask_edge, [](Seams& s) { s.term = prefix_sees_all; }},
    Mutant{"document_ignored", "packed documents see each other", "", fwd, Axis::mask_edge,
           [](Seams& s) { s.term = ignored<Document>; }},
    Mutant{"document_plus_one", "a document sees the first key of the next one", "", fwd,
           Axis::mask_edge, [](Seams& s) { s.term = moved<Document, 0, 1>; }},
    Mutant{"drop_key", "one key in the middle is hidden from all rows", "", fwd, Axis::key,
           [](Seams& s) { s.visible = drop_key; }},
    Mutant{"drop_key_one_row", "one row of the first head misses one of its keys", "", fwd,
           Axis::rows | Axis::key, [](Seams& s) { s.visible = drop_key_one_row; }},
    Mutant{"tile_edge_key_dropped", "the first key of the middle tile is hidden from all rows", "",
           fwd, Axis::key | Axis::mask_edge, [](Seams& s) { s.visible = drop_tile_edge; }},
    Mutant{"first_key_dropped", "key 0 is hidden from all rows", "", fwd,
           Axis::key | Axis::mask_edge, [](Seams& s) { s.visible = without_first; }},
    Mutant{"last_key_dropped", "the last key of a sequence is hidden from all rows", "", fwd,
           Axis::key | Axis::mask_edge, [](Seams& s) { s.visible = without_last; }},
    Mutant{"zero_key_unmasked", "rows that see the last key see one key of zeros behind it", "",
           fwd, Axis::key | Axis::mask_edge | Axis::factor, [](Seams& s) { s.visible = zero_key; }},
    Mutant{"tail_unmasked", "the zeros that fill up the last tile of keys take part", "", fwd,
           Axis::key | Axis::mask_edge | Axis::factor,
           [](Seams& s) { s.visible = whole_last_tile; }},
    Mutant{"tail_dropped", "the last tile of keys is left out unless it is full", "", fwd,
           Axis::key | Axis::tile | Axis::mask_edge, [](Seams& s) { s.visible = without_tail; }},
};

}  // namespace

std::span<const Mutant> mask_mutants() {
  return mask_table;
}

}  // namespace fathom::mutant
