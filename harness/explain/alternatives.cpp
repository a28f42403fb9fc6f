// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/alternatives.h"

#include <fmt/format.h>

#include <functional>

namespace fathom {
namespace {

using KeysOf = std::function<KeyRange(Index sequence, Index query)>;

class Collector {
 public:
  explicit Collector(const Question& question) : question_(question) {}

  void add(Axis axis, std::string is, std::string cause, const KeysOf& keys_of) {
    MaskAlternative alternative{axis, std::move(is), std::move(cause), {}};
    bool differs = false;
    for (Index s = 0; s < question_.sequences(); ++s) {
      std::vector<KeyRange>& keys = alternative.keys.emplace_back();
      for (Index query = 0; query < question_.sequence(s).query_length; ++query) {
        const KeyRange now = question_.visible(s)[static_cast<std::size_t>(query)];
        KeyRange then = keys_of(s, query);
        then.begin = std::max<Index>(then.begin, 0);
        then.end = std::min(then.end, question_.sequence(s).key_length);
        if (then.size() == 0) then = {};
        differs |= !(then == now);
        keys.push_back(then);
      }
    }
    if (differs) all_.push_back(std::move(alternative));
  }

  /// The same mask predicate with an edited mask or edited lengths.
  void add_mask(Axis axis, const std::string& cause, const Mask& mask) {
    add(axis, "is right for the mask " + to_string(mask), cause,
        [&](Index s, Index query) { return visible_keys(mask, question_.sequence(s), query); });
  }
  void add_lengths(Axis axis, std::string is, const std::string& cause,
                   const std::function<Sequence(Index sequence)>& lengths) {
    add(axis, std::move(is), cause, [&](Index s, Index query) {
      return visible_keys(question_.problem().mask, lengths(s), query);
    });
  }
  /// An edit of the interval that a row sees; rows that see nothing stay so.
  void add_edit(std::string is, const std::string& cause,
                const std::function<KeyRange(KeyRange now, Index sequence)>& edit) {
    add(Axis::mask_edge, std::move(is), cause, [&](Index s, Index query) {
      const KeyRange now = question_.visible(s)[static_cast<std::size_t>(query)];
      return now.size() == 0 ? now : edit(now, s);
    });
  }

  [[nodiscard]] const Question& question() const { return question_; }
  std::vector<MaskAlternative> take() { return std::move(all_); }

 private:
  const Question& question_;
  std::vector<MaskAlternative> all_;
};

Mask with_term(Mask mask, std::size_t at, const MaskTerm& term) {
  mask.terms[at] = term;
  return mask;
}

void add_windows(Collector& all, const Mask& mask, std::size_t at, const Window& window) {
  for (const Index step : {1, -1}) {
    const std::string cause =
        step > 0
            ? "a window that counts one key too many: an end taken as inclusive twice, or < for <="
            : "a window that counts one key too few: an inclusive end taken as exclusive";
    if (window.left + step >= 0 && window.left >= 0) {
      all.add_mask(Axis::mask_edge, cause,
                   with_term(mask, at, Window{window.left + step, window.right}));
    }
    if (window.right + step >= 0 && window.right >= 0) {
      all.add_mask(Axis::mask_edge, cause,
                   with_term(mask, at, Window{window.left, window.right + step}));
    }
    if (window.left + step >= 0 && window.right - step >= 0 && window.left >= 0) {
      all.add_mask(Axis::mask_edge, "the whole window lies one key off",
                   with_term(mask, at, Window{window.left + step, window.right - step}));
    }
  }
  const std::string cause = "an end of the window that is ignored or exchanged";
  all.add_mask(Axis::mask_edge, cause, with_term(mask, at, Window{-1, window.right}));
  all.add_mask(Axis::mask_edge, cause, with_term(mask, at, Window{window.left, -1}));
  all.add_mask(Axis::mask_edge, cause, with_term(mask, at, Window{window.right, window.left}));
}

void add_prefixes(Collector& all) {
  const Question& question = all.question();
  const auto with_prefix = [&](Index s, Index prefix) {
    Sequence lengths = question.sequence(s);
    lengths.prefix_length = std::clamp<Index>(prefix, 0, lengths.key_length);
    return lengths;
  };
  for (const Index step : {1, -1}) {
    all.add_lengths(
        Axis::mask_edge,
        fmt::format("is right for a prefix one token {}", step > 0 ? "longer" : "shorter"),
        "the end of the prefix is off by one",
        [&](Index s) { return with_prefix(s, question.sequence(s).prefix_length + step); });
    all.add_lengths(Axis::sequence,
                    fmt::format("is right for the prefix length of the {} sequence",
                                step > 0 ? "next" : "previous"),
                    "prefix lengths are read at the wrong place of the batch", [&](Index s) {
                      const Index other = (s + step + question.sequences()) % question.sequences();
                      return with_prefix(s, question.sequence(other).prefix_length);
                    });
  }
  all.add_lengths(Axis::sequence, "is right for the prefix length of sequence 0",
                  "the prefix length of the first sequence is used for all",
                  [&](Index s) { return with_prefix(s, question.sequence(0).prefix_length); });
}

/// PrefixLM as two passes, the prefixes' queries and all others, one of which goes wrong.
void add_two_passes(Collector& all) {
  const Question& question = all.question();
  const auto by_pass = [&](const std::string& is, const std::string& cause, auto in_prefix,
                           auto behind_it) {
    all.add(Axis::mask_edge, is, cause, [&](Index s, Index query) {
      const Sequence& lengths = question.sequence(s);
      const Index behind =
          query + lengths.key_length - lengths.query_length - lengths.prefix_length;
      const KeyRange now = question.visible(s)[static_cast<std::size_t>(query)];
      return behind < 0 ? in_prefix(now) : behind_it(now, behind);
    });
  };
  const auto as_it_is = [](KeyRange now, auto...) { return now; };
  const auto nothing = [](KeyRange, auto...) { return KeyRange{}; };
  by_pass("is right if the causal diagonal starts anew behind the prefix",
          "the pass over the queries behind the prefix lacks the offset of the prefix", as_it_is,
          [](KeyRange now, Index behind) {
            return KeyRange{now.begin, std::min(now.end, behind + 1)};
          });
  const std::string lost = "one of two passes is not in the sum";
  by_pass("is right without the queries of the prefix", lost, nothing, as_it_is);
  by_pass("is right without the queries behind the prefix", lost, as_it_is, nothing);
}

void add_term_edits(Collector& all) {
  const Mask& mask = all.question().problem().mask;
  all.add_mask(Axis::mask_edge, "the mask is ignored", Mask{});
  for (std::size_t at = 0; at < mask.terms.size(); ++at) {
    Mask without = mask;
    without.terms.erase(without.terms.begin() + static_cast<std::ptrdiff_t>(at));
    all.add_mask(Axis::mask_edge, "one term of the mask is ignored", without);
    if (const auto* causal = std::get_if<Causal>(&mask.terms[at])) {
      const bool bottom = causal->corner == Corner::bottom_right;
      all.add_mask(Axis::mask_edge,
                   "the causal diagonal is aligned to the other corner when lengths differ",
                   with_term(mask, at, Causal{bottom ? Corner::top_left : Corner::bottom_right}));
    }
    if (const auto* window = std::get_if<Window>(&mask.terms[at])) {
      add_windows(all, mask, at, *window);
    }
    if (std::holds_alternative<PrefixLm>(mask.terms[at])) {
      all.add_mask(Axis::mask_edge, "the prefix is ignored",
                   with_term(mask, at, Causal{Corner::bottom_right}));
      add_prefixes(all);
      add_two_passes(all);
    }
  }
}

void add_edges(Collector& all) {
  all.add_edit(
      "is right without the last key of the sequence", "an off-by-one in the key length",
      [&](KeyRange now, Index s) {
        return KeyRange{now.begin, std::min(now.end, all.question().sequence(s).key_length - 1)};
      });
  all.add_edit("is right without the first key of the sequence", "a loop over keys starts at 1",
               [](KeyRange now, Index) {
                 return KeyRange{std::max<Index>(now.begin, 1), now.end};
               });
  const auto text = [](Index step) {
    return fmt::format("{} key{} {}", std::abs(step), std::abs(step) == 1 ? "" : "s",
                       step > 0 ? "later" : "earlier");
  };
  for (const Index step : {1, -1, 2, -2}) {
    const std::string cause = std::abs(step) == 1 ? "an off-by-one at the edge of the mask"
                                                  : "an offset at the edge of the mask";
    all.add_edit("is right if each row's last visible key is " + text(step), cause,
                 [&](KeyRange now, Index) {
                   return KeyRange{now.begin, now.end + step};
                 });
    all.add_edit("is right if each row's first visible key is " + text(step), cause,
                 [&](KeyRange now, Index) {
                   return KeyRange{now.begin + step, now.end};
                 });
    all.add_edit("is right if the whole visible interval of each row is " + text(step), cause,
                 [&](KeyRange now, Index) {
                   return KeyRange{now.begin + step, now.end + step};
                 });
  }
}

/// Edges that stand where the tile of the edge ends: a mask not applied inside one tile.
void add_tiled_edges(Collector& all) {
  for (const Index tile : {16, 32, 64, 128}) {
    const std::string cause = "the mask is not applied inside the tile that its edge cuts";
    all.add_edit(
        fmt::format("is right if all keys up to the end of the last tile of {} are visible", tile),
        cause, [&](KeyRange now, Index) {
          return KeyRange{now.begin, (now.end + tile - 1) / tile * tile};
        });
    all.add_edit(
        fmt::format("is right if all keys from the start of the first tile of {} are visible",
                    tile),
        cause, [&](KeyRange now, Index) {
          return KeyRange{now.begin / tile * tile, now.end};
        });
    all.add_edit(fmt::format("is right without the last tile of {} keys that the mask cuts", tile),
                 "a bound of the loop over key tiles is rounded down", [&](KeyRange now, Index) {
                   return KeyRange{now.begin, now.end / tile * tile};
                 });
    all.add_edit(fmt::format("is right without the last tile of {} keys of each row", tile),
                 "the last key tile of a row is not visited", [&](KeyRange now, Index) {
                   return KeyRange{now.begin, (now.end - 1) / tile * tile};
                 });
    all.add_edit(fmt::format("is right without the first tile of {} keys of each row", tile),
                 "the first key tile of a row is not visited", [&](KeyRange now, Index) {
                   return KeyRange{(now.begin / tile + 1) * tile, now.end};
                 });
  }
}

}  // namespace

std::vector<MaskAlternative> mask_alternatives(const Question& question) {
  Collector all(question);
  add_term_edits(all);
  add_edges(all);
  return all.take();
}

std::vector<MaskAlternative> tiled_alternatives(const Question& question) {
  Collector all(question);
  add_tiled_edges(all);
  return all.take();
}

}  // namespace fathom
