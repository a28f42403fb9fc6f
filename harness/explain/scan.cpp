// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>

namespace fathom {
namespace {

constexpr std::array<Index, 7> tile_sizes{16, 32, 64, 80, 128, 176, 256};

enum class TileFault : std::uint8_t { lost, doubled, stale, stale_k, stale_v };
constexpr std::array tile_faults{TileFault::lost, TileFault::doubled, TileFault::stale,
                                 TileFault::stale_k, TileFault::stale_v};

bool is_stale(TileFault fault) {
  return fault != TileFault::lost && fault != TileFault::doubled;
}

/// K and V go wrong apart in the forward pass only.
bool applies(TileFault fault, const Puzzle& puzzle) {
  const bool one = fault == TileFault::stale_k || fault == TileFault::stale_v;
  return !one || puzzle.errors.name == TensorName::o;
}

std::string_view terms_are(const Puzzle& puzzle) {
  return has_key_rows(puzzle.errors.name) ? "queries" : "keys";
}

/// Edits of one tile; empty if the row has nothing of it, or nothing else.
Edit tile_edit(const RowModel& model, TileFault fault, Index begin, Index end) {
  Edit edit = edit_terms(model, begin, end, fault == TileFault::doubled ? 1 : -1);
  if (edit.pieces.empty() || fault != TileFault::stale) return edit;
  // The tile before stands in its place: it takes part once more, as far as this tile would.
  const Index size = end - begin;
  const std::vector<Piece> lost = edit.pieces;
  for (Piece piece : lost) {
    piece.begin -= size;
    piece.end -= size;
    piece.weight = 1;
    edit.pieces.push_back(piece);
  }
  return edit;
}

std::optional<Prediction> predict_tile(RowModel& model, TileFault fault, Index begin, Index end) {
  if (fault == TileFault::stale_k || fault == TileFault::stale_v) {
    const KeyRange now = model.visible();
    const KeyRange keys{std::max(begin, now.begin), std::min(end, now.end)};
    if (keys.size() == 0) return std::nullopt;
    return model.with_lag(fault == TileFault::stale_k ? RowModel::Operand::k : RowModel::Operand::v,
                          keys, end - begin);
  }
  const Edit edit = tile_edit(model, fault, begin, end);
  if (edit.pieces.empty()) return std::nullopt;
  return model.predict(edit);
}

/// `from` is where the tile before begins.
std::string tile_text(TileFault fault, std::string_view what, Index from, Index begin, Index end) {
  switch (fault) {
    case TileFault::lost: return fmt::format("is right without {} {}-{}", what, begin, end - 1);
    case TileFault::doubled:
      return fmt::format("is right if {} {}-{} count twice", what, begin, end - 1);
    case TileFault::stale: break;
    case TileFault::stale_k: what = "K of keys"; break;
    case TileFault::stale_v: what = "V of keys"; break;
  }
  return fmt::format("is right if {} {}-{} stand{} in the place of {}-{}", what, from, begin - 1,
                     fault == TileFault::stale ? "" : "s", begin, end - 1);
}

std::string_view tile_cause(TileFault fault) {
  switch (fault) {
    case TileFault::lost:
      return "a tile that is not visited, or an off-by-one in the range of tiles";
    case TileFault::doubled: return "a tile that two passes or two splits both visit";
    case TileFault::stale:
    case TileFault::stale_k:
    case TileFault::stale_v: break;
  }
  return "a tile that is used before its load has finished, so that the one before is used again";
}

/// What every tile would leave of the error, summed over rows.
class TileScan {
 public:
  explicit TileScan(const Puzzle& puzzle) : puzzle_(puzzle) {
    for (Index s = 0; s < puzzle.question.sequences(); ++s) {
      const Sequence& lengths = puzzle.question.sequence(s);
      length_ = std::max(
          length_, has_key_rows(puzzle.errors.name) ? lengths.query_length : lengths.key_length);
    }
    for (const TileFault fault : tile_faults) {
      if (!applies(fault, puzzle)) continue;
      for (const Index size : tile_sizes) gains_[{fault, size}].resize(count(size));
    }
  }

  void add(RowModel& model) {
    for (auto& [kind, gains] : gains_) {
      const auto [fault, size] = kind;
      for (std::size_t t = is_stale(fault) ? 1 : 0; t < gains.size(); ++t) {
        const Index begin = static_cast<Index>(t) * size;
        const auto prediction = predict_tile(model, fault, begin, begin + size);
        if (!prediction) continue;
        const double before = std::min(model.place().energy, 1e30);
        gains[t] +=
            before -
            std::min(energy_against(puzzle_.errors, model.place(), prediction->value), 1e30);
      }
    }
  }

  void take(std::vector<Candidate>& candidates) const {
    for (const TileFault fault : tile_faults) {
      if (!applies(fault, puzzle_)) continue;
      double best = 0;
      Index begin = 0;
      Index end = 0;
      for (const Index size : tile_sizes) {
        const auto& gains = gains_.at({fault, size});
        const auto top = std::max_element(gains.begin(), gains.end());
        if (top == gains.end() || *top <= best) continue;
        best = *top;
        begin = (top - gains.begin()) * size;
        end = begin + size;
      }
      if (best > 0) candidates.push_back(candidate(fault, begin, end));
    }
  }

 private:
  [[nodiscard]] std::size_t count(Index size) const {
    return static_cast<std::size_t>((length_ + size - 1) / size);
  }
  [[nodiscard]] Candidate candidate(TileFault fault, Index begin, Index end) const {
    return {is_stale(fault) ? Axis::stale : Axis::tile,
            tile_text(fault, terms_are(puzzle_), 2 * begin - end, begin, std::min(end, length_)),
            std::string(tile_cause(fault)), [fault, begin, end](RowModel& model) {
              return predict_tile(model, fault, begin, end);
            }};
  }

  const Puzzle& puzzle_;
  Index length_ = 0;
  std::map<std::pair<TileFault, Index>, std::vector<double>> gains_;
};

/// What every single key would leave of the error in O if it were lost, doubled or added.
class KeyScan {
 public:
  explicit KeyScan(const Puzzle& puzzle) : puzzle_(puzzle) {
    Index length = 0;
    for (Index s = 0; s < puzzle.question.sequences(); ++s) {
      length = std::max(length, puzzle.question.sequence(s).key_length);
    }
    for (auto& gains : gains_) gains.resize(static_cast<std::size_t>(length));
  }

  void add(RowModel& model) {
    const RowError& row = model.place();
    const KeyRange keys = model.visible();
    if (keys.size() < 2 || !row.live) return;
    const TermList& terms = model.terms(row.sequence, model.own_head());
    const RowSpan v = puzzle_.question.rows(TensorName::v, row.sequence, model.own_head());
    prepare(row);
    for (Index key = 0; key < v.rows; ++key) {
      const double p = terms.term(key)[v.channels];
      const bool visible = keys.begin <= key && key < keys.end;
      const auto [ed, dd] = projections(v.row(key));
      // O moves by c (v - O) with c known: nothing is fitted.
      const auto gain = [&, ed = ed, dd = dd](double c) { return c * (2 * ed - c * dd); };
      const auto at = static_cast<std::size_t>(key);
      if (visible && p < 0.999) gains_[0][at] += gain(-p / (1 - p));
      if (visible) gains_[1][at] += gain(p / (1 + p));
      if (!visible) gains_[2][at] += gain(p / (1 + p));
    }
  }

  void take(std::vector<Candidate>& candidates) const {
    constexpr std::array says{"is right without key {}", "is right if key {} counts twice",
                              "is right if the hidden key {} is visible"};
    constexpr std::array causes{"one key that is skipped: an off-by-one where two ranges meet",
                                "one key that two ranges both contain",
                                "one hidden key that is let through"};
    for (std::size_t kind = 0; kind < gains_.size(); ++kind) {
      const auto top = std::max_element(gains_[kind].begin(), gains_[kind].end());
      if (top == gains_[kind].end() || *top <= 0) continue;
      const Index key = top - gains_[kind].begin();
      candidates.push_back({Axis::key, fmt::format(fmt::runtime(says[kind]), key), causes[kind],
                            [key, kind](RowModel& model) { return predict(model, key, kind); }});
    }
  }

 private:
  static std::optional<Prediction> predict(RowModel& model, Index key, std::size_t kind) {
    const KeyRange keys = model.visible();
    const RowError& row = model.place();
    const bool visible = keys.begin <= key && key < keys.end;
    const bool exists = key < model.question().sequence(row.sequence).key_length;
    if (!exists || visible == (kind == 2) || !row.live) return std::nullopt;
    return model.predict(
        {{{row.sequence, model.own_head(), key, key + 1, kind == 0 ? -1.0 : 1.0}}});
  }

  /// e / sigma, O / sigma and 1 / sigma of the row.
  void prepare(const RowError& row) {
    const TensorErrors& errors = puzzle_.errors;
    e_.clear();
    o_.clear();
    inverse_.clear();
    for (Index i = row.first; i < row.first + errors.channels; ++i) {
      const double inverse = 1 / errors.sigma_at(i);
      e_.push_back((errors.got(i) - errors.want(i)) * inverse);
      o_.push_back(errors.want(i) * inverse);
      inverse_.push_back(inverse);
    }
  }

  /// <e, v - O> and |v - O|^2 in units of sigma.
  [[nodiscard]] std::pair<double, double> projections(const double* v) const {
    double ed = 0;
    double dd = 0;
    for (std::size_t c = 0; c < e_.size(); ++c) {
      const double d = v[c] * inverse_[c] - o_[c];
      ed += e_[c] * d;
      dd += d * d;
    }
    return {ed, dd};
  }

  const Puzzle& puzzle_;
  std::array<std::vector<double>, 3> gains_;
  std::vector<double> e_;
  std::vector<double> o_;
  std::vector<double> inverse_;
};

/// Two rows of V that changed places: then every error is a multiple of their difference, and the
/// multiple is the difference of their weights.
class ExchangeScan {
 public:
  explicit ExchangeScan(const Puzzle& puzzle) : puzzle_(puzzle) {}

  void add(RowModel& model) {
    const RowError& row = model.place();
    if (rows_.empty()) {
      sequence_ = row.sequence;
      head_ = model.own_head();
    }
    constexpr std::size_t enough = 24;
    if (row.sequence != sequence_ || model.own_head() != head_ || rows_.size() >= enough) return;
    const TermList& terms = model.terms(sequence_, head_);
    const KeyRange keys = model.visible();
    Row& added = rows_.emplace_back();
    for (Index c = 0; c < puzzle_.errors.channels; ++c) {
      added.e.push_back(puzzle_.errors.got(row.first + c) - puzzle_.errors.want(row.first + c));
    }
    added.p.resize(static_cast<std::size_t>(terms.count()));
    for (Index key = keys.begin; key < keys.end; ++key) {
      added.p[static_cast<std::size_t>(key)] = terms.term(key)[terms.width() - 1];
    }
  }

  void take(std::vector<Candidate>& candidates) const {
    constexpr std::size_t few = 4;
    if (rows_.size() < few) return;
    const std::vector<double> along = common_direction();
    if (along.empty()) return;
    const RowSpan v = puzzle_.question.rows(TensorName::v, sequence_, head_);
    const auto [low, high] = extreme_keys(along);
    double best = 0;
    Index a = 0;
    Index b = 0;
    for (const Index i : low) {
      for (const Index j : high) {
        const double fit = std::abs(cosine(v.row(i), v.row(j), along));
        if (fit > best) std::tie(best, a, b) = std::tuple{fit, std::min(i, j), std::max(i, j)};
      }
    }
    if (best < 0.98) return;
    candidates.push_back(
        {Axis::key, fmt::format("is right if rows {} and {} of V change places", a, b),
         "two rows of V are exchanged on their way to the product with P",
         [a, b](RowModel& model) -> std::optional<Prediction> {
           const auto row_of = [a, b](Index key) { return key == a ? b : key == b ? a : key; };
           return model.recompute(softmax_scale(model.question().problem()),
                                  model.question().problem().head_dim, row_of);
         }});
  }

 private:
  struct Row {
    std::vector<double> e;
    std::vector<double> p;
  };

  /// The unit vector that all errors are multiples of; empty if they are not.
  [[nodiscard]] std::vector<double> common_direction() const {
    std::vector<double> u = rows_.front().e;
    for (const Row& row : rows_) {
      if (norm(row.e) > norm(u)) u = row.e;
    }
    for (int step = 0; step < 8; ++step) {
      std::vector<double> next(u.size());
      for (const Row& row : rows_) {
        const double along = dot(row.e.data(), u.data(), std::ssize(u));
        for (std::size_t c = 0; c < u.size(); ++c) next[c] += along * row.e[c];
      }
      const double size = norm(next);
      if (!(size > 0)) return {};
      for (std::size_t c = 0; c < u.size(); ++c) u[c] = next[c] / size;
    }
    double all = 0;
    double inside = 0;
    for (const Row& row : rows_) {
      const double along = dot(row.e.data(), u.data(), std::ssize(u));
      inside += along * along;
      all += norm(row.e) * norm(row.e);
    }
    return inside > 0.8 * all ? u : std::vector<double>{};
  }

  static double norm(const std::vector<double>& a) {
    return std::sqrt(dot(a.data(), a.data(), std::ssize(a)));
  }

  static double cosine(const double* a, const double* b, const std::vector<double>& u) {
    double along = 0;
    double size = 0;
    for (std::size_t c = 0; c < u.size(); ++c) {
      along += (a[c] - b[c]) * u[c];
      size += (a[c] - b[c]) * (a[c] - b[c]);
    }
    return size == 0 ? 0 : along / std::sqrt(size);
  }

  /// The keys whose weights fall most and rise most with the errors; all keys if they are few.
  [[nodiscard]] std::pair<std::vector<Index>, std::vector<Index>> extreme_keys(
      const std::vector<double>& along) const {
    std::vector<double> sums(rows_.front().p.size());
    for (const Row& row : rows_) {
      const double multiple = dot(row.e.data(), along.data(), std::ssize(along));
      for (std::size_t key = 0; key < sums.size(); ++key) sums[key] += multiple * row.p[key];
    }
    std::vector<Index> order(sums.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
    std::sort(order.begin(), order.end(), [&](Index a, Index b) {
      return sums[static_cast<std::size_t>(a)] < sums[static_cast<std::size_t>(b)];
    });
    constexpr std::ptrdiff_t few = 1024;
    const auto some = std::ssize(order) <= few ? std::ssize(order) : 32;
    return {{order.begin(), order.begin() + some}, {order.end() - some, order.end()}};
  }

  const Puzzle& puzzle_;
  Index sequence_ = 0;
  Index head_ = 0;
  std::vector<Row> rows_;
};

}  // namespace

std::vector<Candidate> scan_candidates(const Puzzle& puzzle) {
  TileScan tiles(puzzle);
  KeyScan keys(puzzle);
  ExchangeScan exchange(puzzle);
  const bool forward = puzzle.errors.name == TensorName::o;
  for (const RowError* row : puzzle.rows) {
    RowModel model(puzzle.question, puzzle.errors, *row);
    tiles.add(model);
    if (forward) keys.add(model);
    if (forward) exchange.add(model);
  }
  std::vector<Candidate> candidates;
  tiles.take(candidates);
  keys.take(candidates);
  exchange.take(candidates);
  return candidates;
}

}  // namespace fathom
