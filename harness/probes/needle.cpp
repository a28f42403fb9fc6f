// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/needle.h"

#include "harness/probes/edge_keys.h"
#include "harness/probes/exact_limits.h"
#include "harness/probes/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

namespace fathom::needle_probe {
namespace {

using namespace probing;

int bits_for(Index count) {
  const auto largest = static_cast<std::uint64_t>(std::max<Index>(count, 1) - 1);
  return std::max(1, static_cast<int>(std::bit_width(largest)));
}

Index longest_key(const Problem& problem) {
  Index longest = 1;
  for (const Sequence& s : problem.sequences) longest = std::max(longest, s.key_length);
  return longest;
}

/// Where a key stands in the Problem.
struct Key {
  Index sequence = 0;
  Index head = 0;
  Index position = 0;
  bool operator==(const Key&) const = default;
};

/// The numbers that stand for keys. Channel c of a code word holds bit c mod B of the position, so
/// that two keys of a head differ in at least floor(d / B) channels; signs that belong to the
/// channel, the head and the sequence hide the words of one head from another. A channel of V holds
/// the odd number 2 digit - 15, which no dtype rounds and which an unwritten 0 is not.
class Code {
 public:
  explicit Code(const Problem& problem)
      : position_bits_(bits_for(longest_key(problem))),
        head_bits_(bits_for(problem.kv_heads)),
        digits_((position_bits_ + head_bits_ +
                 bits_for(static_cast<Index>(problem.sequences.size())) + 3) /
                4),
        scale_(softmax_scale(problem)),
        repeats_(problem.head_dim / position_bits_) {}

  /// Why the Problem cannot be asked; empty if it can.
  [[nodiscard]] std::string why_not(const Problem& problem) const {
    if (scale_ == 0) return "scale = 0: no query can seek a key";
    if (repeats_ == 0) {
      return fmt::format("d = {} has no room for code words of {} bits", problem.head_dim,
                         position_bits_);
    }
    if (problem.dtype == Dtype::f16 && std::abs(factor()) > 0x1p15) {
      return fmt::format("scale = {:g} is so small that no fp16 query can seek a key", scale_);
    }
    if (digits_ > problem.value_dim) {
      return fmt::format("dv = {} has no room for a key's {} digits", problem.value_dim, digits_);
    }
    return {};
  }

  [[nodiscard]] double word(const Key& key, Index channel) const {
    const bool bit = ((key.position >> (channel % position_bits_)) & 1) != 0;
    return (bit ? 1 : -1) * sign_of(1, TensorName::k, {key.sequence, key.head, 0, 0}, channel);
  }

  /// What multiplies a code word in Q: a power of two at which the next word's weight is below
  /// e^-24.
  [[nodiscard]] double factor() const {
    const double needed = 12 / (std::abs(scale_) * static_cast<double>(repeats_));
    return std::copysign(std::exp2(std::ceil(std::log2(needed))), scale_);
  }

  [[nodiscard]] double digit(const Key& key, Index channel) const {
    const auto packed = static_cast<std::uint64_t>(key.position) |
                        (static_cast<std::uint64_t>(key.head) << position_bits_) |
                        (static_cast<std::uint64_t>(key.sequence) << (position_bits_ + head_bits_));
    return static_cast<double>(2 * ((packed >> (4 * (channel % digits_))) & 15U)) - 15;
  }

  /// The key that a row of O names; none if it is a mixture.
  [[nodiscard]] std::optional<Key> decode(const Problem& problem, std::span<const double> o) const {
    std::uint64_t packed = 0;
    for (Index c = 0; c < digits_; ++c) {
      const double digit = (o[static_cast<std::size_t>(c)] + 15) / 2;
      if (!(std::abs(digit - std::round(digit)) < 0.1) || digit < -0.1 || digit > 15.1) return {};
      packed |= static_cast<std::uint64_t>(std::lround(digit)) << (4 * c);
    }
    const auto cut = [&packed](int bits) {
      const auto value = static_cast<Index>(packed & ((std::uint64_t{1} << bits) - 1));
      packed >>= bits;
      return value;
    };
    Key key;
    key.position = cut(position_bits_);
    key.head = cut(head_bits_);
    key.sequence = static_cast<Index>(packed);
    if (key.sequence >= static_cast<Index>(problem.sequences.size())) return {};
    if (key.head >= problem.kv_heads) return {};
    if (key.position >= problem.sequences[static_cast<std::size_t>(key.sequence)].key_length) {
      return {};
    }
    return key;
  }

 private:
  int position_bits_;
  int head_bits_;
  Index digits_;
  double scale_;
  Index repeats_;
};

enum class Aim : std::uint8_t { first, last, edge, any, before, behind };

struct AimInfo {
  Aim aim;
  std::string_view label;
  bool hidden;  ///< The target is a key that the row may not see.
};
constexpr std::array aims{
    AimInfo{Aim::first, "the first visible key", false},
    AimInfo{Aim::last, "the last visible key", false},
    AimInfo{Aim::edge, "a visible edge key", false},
    AimInfo{Aim::any, "any visible key", false},
    AimInfo{Aim::before, "the hidden key before the first visible one", true},
    AimInfo{Aim::behind, "the hidden key behind the last visible one", true},
};

/// Chooses the target of every row.
class Aimer {
 public:
  Aimer(const Problem& problem, Aim aim) : problem_(problem), aim_(aim) {
    if (aim != Aim::edge) return;
    for (Index s = 0; s < static_cast<Index>(problem.sequences.size()); ++s) {
      edges_.push_back(edge_keys(problem, s, 1 << 16));
    }
  }

  /// -1 for a row that has no such key.
  [[nodiscard]] Index target(const RowAt& at) const {
    const KeyRange keys = keys_seen(problem_, at);
    if (keys.size() == 0) return -1;
    const Index all = problem_.sequences[static_cast<std::size_t>(at.sequence)].key_length;
    switch (aim_) {
      case Aim::first: return keys.begin;
      case Aim::last: return keys.end - 1;
      case Aim::before: return keys.begin - 1;
      case Aim::behind: return keys.end < all ? keys.end : -1;
      case Aim::any:
        return keys.begin + static_cast<Index>(word_of(2, TensorName::q, at, 0)) % keys.size();
      case Aim::edge: break;
    }
    const auto& edges = edges_[static_cast<std::size_t>(at.sequence)];
    const Index start = at.row * 5 + at.head * 11;
    for (Index tried = 0; tried < 8; ++tried) {
      const auto i = static_cast<std::size_t>(start + tried) % edges.size();
      if (keys.begin <= edges[i] && edges[i] < keys.end) return edges[i];
    }
    return keys.begin + start % keys.size();
  }

 private:
  const Problem& problem_;
  Aim aim_;
  std::vector<std::vector<Index>> edges_;
};

/// Whether some row has a target of this kind.
bool exists(const Problem& problem, Aim aim) {
  if (aim != Aim::before && aim != Aim::behind) return true;
  const Aimer aimer(problem, aim);
  bool any = false;
  visit_rows(problem, TensorName::q, [&](const RowAt& at) { any |= aimer.target(at) >= 0; });
  return any;
}

void write_codes(const Problem& problem, TensorSet& inputs, Aim aim) {
  const Code code(problem);
  const Aimer aimer(problem, aim);
  const auto write = [&](TensorName name, const std::function<double(const Key&, Index)>& number) {
    rewrite(problem, inputs, name, [&](const RowAt& at, std::span<double> x) {
      for (std::size_t c = 0; c < x.size(); ++c) {
        x[c] = number({at.sequence, at.head, at.row}, static_cast<Index>(c));
      }
    });
  };
  write(TensorName::k, [&](const Key& key, Index c) { return code.word(key, c); });
  write(TensorName::v, [&](const Key& key, Index c) { return code.digit(key, c); });
  rewrite(problem, inputs, TensorName::q, [&](const RowAt& at, std::span<double> q) {
    const Index target = std::max<Index>(0, aimer.target(at));
    const Key key{at.sequence, kv_head_of(problem, at.head), target};
    for (std::size_t c = 0; c < q.size(); ++c) {
      q[c] = code.factor() * code.word(key, static_cast<Index>(c));
    }
  });
}

std::string said(const std::optional<Key>& key) {
  if (!key) return "no single key";
  return fmt::format("key {} of sequence {} kv head {}", key->position, key->sequence, key->head);
}

/// What one trial shows.
class Reading {
 public:
  Reading(const Outcome& outcome, const AimInfo& aim)
      : observation_(*outcome.observation),
        problem_(observation_.c.problem),
        aim_(aim),
        code_(problem_),
        aimer_(problem_, aim.aim),
        got_(problem_, TensorName::o, *given(observation_, TensorName::o)) {}

  [[nodiscard]] Tally compare() const {
    Tally tally;
    visit_rows(problem_, TensorName::o, [&](const RowAt& at) {
      const Index target = aimer_.target(at);
      const bool empty = keys_seen(problem_, at).size() == 0;
      if (target < 0 && !empty) return;
      const Key key{at.sequence, kv_head_of(problem_, at.head), target};
      for (Index c = 0; c < problem_.value_dim; ++c) {
        const auto i = static_cast<std::size_t>(at.first + c);
        if (empty) {
          tally.compare(at.first + c, got_.values()[i], 0, 0);
        } else {
          tally.compare(at.first + c, got_.values()[i], want(key, c, i), limit());
        }
      }
    });
    return tally;
  }

  [[nodiscard]] Finding finding(const Tally& tally) const {
    const std::string check = aim_.hidden ? "probe.needle.hidden" : "probe.needle";
    Finding finding = tally.finding(problem_, TensorName::o, check, "");
    const ElementPlace& at = finding.worst->place;
    const RowAt row{at.sequence, at.head, at.row, 0};
    if (keys_seen(problem_, row).size() == 0) {
      finding.message = fmt::format("o: row {} of head {} of sequence {} sees no key and is not 0",
                                    at.row, at.head, at.sequence);
      return finding;
    }
    const auto read = code_.decode(problem_, got_.row(at.sequence, at.head, at.row));
    const Key target{at.sequence, kv_head_of(problem_, at.head), aimer_.target(row)};
    const std::string of = fmt::format("o: row {} of head {} of sequence {} read {}", at.row,
                                       at.head, at.sequence, said(read));
    if (read == target && aim_.hidden) {
      finding.message = of + ", which it may not see";
    } else if (aim_.hidden) {
      finding.message =
          of + fmt::format(" and is not what it sees: it seeks the hidden key {}", target.position);
    } else if (read == target) {
      finding.message = of + fmt::format(", and yet O is off by {:.3g}", *finding.value);
    } else {
      finding.message =
          of + fmt::format(" instead of key {} of kv head {}", target.position, target.head);
    }
    finding.message += fmt::format(" ({} elements are off)", tally.wrong());
    return finding;
  }

 private:
  [[nodiscard]] double want(const Key& key, Index channel, std::size_t element) const {
    return aim_.hidden ? observation_.oracle->at(TensorName::o).value[element]
                       : code_.digit(key, channel);
  }
  /// The target's weight is 1 up to what 2^24 others could add; a row that seeks a hidden key sees
  /// a mixture of its neighbours, and half of a digit's last bit is what a leak cannot hide in.
  [[nodiscard]] double limit() const {
    if (aim_.hidden) return 0.5;
    if (problem_.dtype == Dtype::f64) return 1e-5;
    return 15 *
           (0x1p-16 + 2 * relative_rounding(problem_.dtype, observation_.arithmetic.out_round));
  }

  const Observation& observation_;
  const Problem& problem_;
  const AimInfo& aim_;
  Code code_;
  Aimer aimer_;
  Numbers got_;
};

}  // namespace

std::vector<Trial> trials(const Case& c) {
  const bool possible = Code(c.problem).why_not(c.problem).empty() && someone_sees(c.problem);
  std::vector<Trial> all;
  for (const AimInfo& info : aims) {
    if (!all.empty() && !(possible && exists(c.problem, info.aim))) continue;
    Trial trial{.label = std::string(info.label), .c = c, .edit = {}, .oracle = info.hidden};
    trial.c.fill = Fill::normal;
    if (possible) {
      trial.edit = [aim = info.aim](const Problem& problem, TensorSet& inputs) {
        write_codes(problem, inputs, aim);
      };
    }
    all.push_back(std::move(trial));
  }
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  if (!someone_sees(c.problem)) return judgement_of({}, "no query sees a key: there is no needle");
  const std::string why_not = Code(c.problem).why_not(c.problem);
  if (!why_not.empty()) return judgement_of({}, why_not);
  std::vector<Finding> findings;
  std::string lost;
  for (const Outcome& outcome : outcomes) {
    const std::string& label = outcome.trial->label;
    if (!outcome.observation || given(*outcome.observation, TensorName::o) == nullptr) {
      lost = "no O came back of the trial that seeks " + label;
      continue;
    }
    const auto aim = std::find_if(aims.begin(), aims.end(),
                                  [&](const AimInfo& info) { return info.label == label; });
    const Reading reading(outcome, *aim);
    const Tally tally = reading.compare();
    if (!tally.clean()) findings.push_back(reading.finding(tally));
  }
  return judgement_of(std::move(findings), lost);
}

}  // namespace fathom::needle_probe
