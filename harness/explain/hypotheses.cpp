// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/hypotheses.h"

#include "harness/explain/alternatives.h"
#include "harness/explain/direct.h"
#include "harness/explain/leftovers.h"
#include "harness/explain/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

namespace fathom {
namespace {

using Candidates = std::vector<Candidate>;
using MaybePrediction = std::optional<Prediction>;

MaybePrediction edited(RowModel& model, const Edit& edit) {
  if (edit.pieces.empty() && edit.zero_keys == 0) return std::nullopt;
  return model.predict(edit);
}

/// O, dQ, dK and dV under another mask.
void add_masks(std::vector<MaskAlternative> masks, Candidates& all) {
  for (MaskAlternative& mask : masks) {
    const auto keys =
        std::make_shared<const std::vector<std::vector<KeyRange>>>(std::move(mask.keys));
    all.push_back({mask.axis, std::move(mask.is), std::move(mask.cause), [keys](RowModel& model) {
                     const auto sequence = static_cast<std::size_t>(model.place().sequence);
                     return edited(model, edit_to_mask(model, (*keys)[sequence]));
                   }});
  }
}

/// O with the K and V of another KV head, chosen by `map(query head)`.
void add_head_map(const Puzzle& puzzle, Candidates& all, const std::string& is,
                  const std::function<Index(Index head)>& map) {
  const Index kv_heads = puzzle.question.problem().kv_heads;
  all.push_back(
      {Axis::head, is, "a wrong map from query heads to KV heads",
       [map, kv_heads](RowModel& model) -> MaybePrediction {
         const Index head = ((map(model.place().head) % kv_heads) + kv_heads) % kv_heads;
         const KeyRange keys = model.visible();
         if (head == model.own_head() || keys.size() == 0) return std::nullopt;
         return model.predict({{{model.place().sequence, head, keys.begin, keys.end, 1}}, 0, true});
       }});
}

void add_head_maps(const Puzzle& puzzle, Candidates& all) {
  if (puzzle.question.problem().kv_heads < 2) return;
  const Index group = puzzle.question.group();
  if (group > 1) {
    add_head_map(puzzle, all, "is right if query head h reads KV head h mod Hkv",
                 [](Index head) { return head; });
  }
  add_head_map(puzzle, all, "is right if every head reads KV head 0", [](Index) { return 0; });
  for (const Index step : {1, -1}) {
    add_head_map(
        puzzle, all,
        fmt::format("is right if every head reads the {} KV head", step > 0 ? "next" : "previous"),
        [group, step](Index head) { return head / group + step; });
  }
}

/// O of rows that see keys of the sequence before or behind their own as well, or instead.
void add_neighbours(const Puzzle& puzzle, Candidates& all) {
  if (puzzle.question.sequences() < 2) return;
  const std::string cause = "a range of keys that is not cut at the end of its sequence";
  const auto add = [&](const std::string& is, Index step, bool instead,
                       const std::function<KeyRange(Index own, Index other)>& range) {
    all.push_back(
        {Axis::sequence, is, instead ? "a wrong sequence index or offset into the keys" : cause,
         [=](RowModel& model) -> MaybePrediction {
           const Question& question = model.question();
           const Index other = model.place().sequence + step;
           if (other < 0 || other >= question.sequences()) return std::nullopt;
           const Index own = question.sequence(model.place().sequence).key_length;
           KeyRange keys = range(own, question.sequence(other).key_length);
           if (instead) keys = model.visible();
           keys.end = std::min(keys.end, question.sequence(other).key_length);
           if (keys.size() == 0) return std::nullopt;
           return model.predict({{{other, model.own_head(), keys.begin, keys.end, 1}}, 0, instead});
         }});
  };
  const auto whole = [](Index, Index other) { return KeyRange{0, other}; };
  add("is right if all keys of the next sequence are visible too", 1, false, whole);
  add("is right if all keys of the previous sequence are visible too", -1, false, whole);
  add("is right if the first key of the next sequence is visible too", 1, false, [](Index, Index) {
    return KeyRange{0, 1};
  });
  add("is right if the last key of the previous sequence is visible too", -1, false,
      [](Index, Index other) {
        return KeyRange{other - 1, other};
      });
  add("is right for the keys of the next sequence", 1, true, whole);
  add("is right for the keys of the previous sequence", -1, true, whole);
  for (const Index tile : {16, 32, 64, 128, 256}) {
    add(fmt::format("is right if keys of the next sequence fill the last tile of {}", tile), 1,
        false, [tile](Index own, Index) {
          return KeyRange{0, (tile - own % tile) % tile};
        });
  }
}

Index same_key(Index key) {
  return key;
}

MaybePrediction at_scale(RowModel& model, double scale) {
  return model.recompute(scale, model.question().problem().head_dim, &same_key);
}

/// Sums of the least-squares fit of one number.
struct Slopes {
  double ed = 0;
  double dd = 0;
  void add(double error, double slope) {
    ed += error * slope;
    dd += slope * slope;
  }
};

/// What a step of the scale by h would mend in one row, in units of honest errors.
void add_slopes(const Puzzle& puzzle, const RowError& row, double scale, double factor,
                bool with_lse, Slopes& slopes) {
  constexpr double h = 1e-5;
  RowModel model(puzzle.question, puzzle.errors, row);
  const Prediction here = *at_scale(model, scale * factor);
  const Prediction there = *at_scale(model, scale * (factor + h));
  for (Index c = 0; c < puzzle.errors.channels; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const double inverse = 1 / puzzle.errors.sigma_at(row.first + c);
    slopes.add((puzzle.errors.got(row.first + c) - here.value[at]) * inverse,
               (there.value[at] - here.value[at]) / h * inverse);
  }
  if (!with_lse) return;
  const Index element =
      puzzle.lse->rows[static_cast<std::size_t>(&row - puzzle.errors.rows.data())].first;
  const double inverse = 1 / puzzle.lse->sigma_at(element);
  slopes.add((puzzle.lse->got(element) - *here.lse) * inverse,
             (*there.lse - *here.lse) / h * inverse);
}

/// The factor of the scale that fits best, by Gauss-Newton on a few rows; 1 if there is none.
double fitted_scale(const Puzzle& puzzle, bool with_lse) {
  const double scale = softmax_scale(puzzle.question.problem());
  constexpr std::size_t few = 10;
  double factor = 1;
  for (int step = 0; step < 5; ++step) {
    Slopes slopes;
    for (const RowError* row : spread(puzzle.rows, few)) {
      if (row->live) add_slopes(puzzle, *row, scale, factor, with_lse, slopes);
    }
    if (!(slopes.dd > 0) || !std::isfinite(slopes.ed)) return 1;
    factor = std::clamp(factor + slopes.ed / slopes.dd, 0.05, 20.0);
  }
  return factor;
}

void add_scales(const Puzzle& puzzle, Candidates& all) {
  const Problem& problem = puzzle.question.problem();
  const double scale = softmax_scale(problem);
  const auto d = static_cast<double>(problem.head_dim);
  const auto add = [&](double other, const std::string& what, const std::string& cause) {
    if (std::abs(other / scale - 1) < 1e-9) return;
    all.push_back({Axis::factor, fmt::format("is right for the scale {}", what), cause,
                   [other](RowModel& model) { return at_scale(model, other); }});
  };
  add(1, "1", "the softmax scale is left out");
  add(1 / std::sqrt(d), "1/sqrt(d)", "the scale asked for is ignored for the default");
  add(scale * scale, "squared", "the softmax scale is applied twice");
  add(std::sqrt(scale), "under a square root",
      "the scale reaches only one of Q and K, as its root");
  add(1 / d, "1/d", "the root of the head dimension is missing");
  add(scale / std::log(2.0), "times log2(e)", "log2(e) is applied twice, or exp taken for exp2");
  add(scale * std::log(2.0), "times ln 2", "exp2 is taken for exp without its factor log2(e)");
  for (const Index multiple : {16, 32, 64, 128, 256}) {
    const Index padded = (problem.head_dim + multiple - 1) / multiple * multiple;
    if (padded == problem.head_dim) continue;
    add(1 / std::sqrt(static_cast<double>(padded)), fmt::format("1/sqrt({})", padded),
        "the scale is taken from the padded head dimension");
  }
  for (const bool with_lse : {true, false}) {
    if (with_lse && puzzle.lse == nullptr) continue;
    const double factor = fitted_scale(puzzle, with_lse);
    if (std::abs(factor - 1) < 1e-7) continue;
    const double percent = 100 * (factor - 1);
    const std::string what =
        std::abs(percent) < 30
            ? fmt::format("{:.3g} % {}", std::abs(percent), percent > 0 ? "larger" : "smaller")
            : fmt::format("times {:.4g}", factor);
    add(scale * factor, what, "a wrong or narrowly rounded softmax scale");
  }
}

/// Scores without the last channels of Q and K.
void add_channel_tails(const Puzzle& puzzle, Candidates& all) {
  const Problem& problem = puzzle.question.problem();
  for (const Index lost : {1, 2, 4, 8, 16, 32, 64}) {
    if (lost >= problem.head_dim) break;
    all.push_back(
        {Axis::channel,
         fmt::format("is right if the last {} of {} channels of Q and K are left out of the scores",
                     lost, problem.head_dim),
         "the loop over the head dimension ends early", [lost](RowModel& model) {
           const Problem& p = model.question().problem();
           return MaybePrediction(model.recompute(softmax_scale(p), p.head_dim - lost, &same_key));
         }});
  }
}

void add_value_orders(Candidates& all) {
  const auto add = [&](const std::string& is, const std::string& cause, RowModel::ValueRow row_of) {
    all.push_back({Axis::key, is, cause, [row_of = std::move(row_of)](RowModel& model) {
                     const Problem& p = model.question().problem();
                     return MaybePrediction(model.recompute(softmax_scale(p), p.head_dim, row_of));
                   }});
  };
  const std::string order = "the order of the rows of V in the product with P is wrong";
  add("is right if neighbouring rows of V change places in pairs", order,
      [](Index key) { return key ^ 1; });
  add("is right if every weight meets the V of the next key", order,
      [](Index key) { return key + 1; });
  add("is right if every weight meets the V of the previous key", order,
      [](Index key) { return key - 1; });
  for (const Index tile : {16, 32, 64, 128}) {
    all.push_back(
        {Axis::stale, fmt::format("is right if V lags one tile of {} keys behind P", tile),
         "the V tile of the step before is used", [tile](RowModel& model) {
           const Problem& p = model.question().problem();
           return MaybePrediction(model.recompute(softmax_scale(p), p.head_dim, [tile](Index key) {
             return key < tile ? key : key - tile;
           }));
         }});
  }
}

/// How many keys of zeros would explain the LSE, or the size of O: 0 if none.
double zero_keys_of(const Puzzle& puzzle) {
  std::vector<double> estimates;
  for (const RowError* row : spread(puzzle.rows, 32)) {
    if (!row->live) continue;
    const double lse = puzzle.question.lse(row->sequence, row->head, row->row);
    double growth = 1 / (1 + common_gain(puzzle.errors, {row}));
    if (puzzle.lse != nullptr) {
      const auto at = static_cast<std::size_t>(row - puzzle.errors.rows.data());
      growth = std::exp(puzzle.lse->got(puzzle.lse->rows[at].first) - lse);
    }
    const double keys = (growth - 1) * std::exp(lse);
    if (std::isfinite(keys)) estimates.push_back(keys);
  }
  if (estimates.empty()) return 0;
  const auto middle = estimates.begin() + std::ssize(estimates) / 2;
  std::nth_element(estimates.begin(), middle, estimates.end());
  return std::round(*middle);
}

void add_zero_keys(const Puzzle& puzzle, Candidates& all) {
  const double keys = zero_keys_of(puzzle);
  if (keys < 1 || keys > 1e6) return;
  all.push_back({Axis::mask_edge,
                 fmt::format("is right if {} of zeros take{} part",
                             keys == 1 ? "one more key" : fmt::format("{} more keys", keys),
                             keys == 1 ? "s" : ""),
                 "the padding behind the last key is not masked", [keys](RowModel& model) {
                   Edit edit;
                   edit.zero_keys = model.place().live ? keys : 0;
                   return edited(model, edit);
                 }});
}

/// Rows that see no key, filled with the average of V: a softmax over equal, very low scores.
void add_average(Candidates& all) {
  all.push_back(
      {Axis::rows, "holds the average of V where a row sees no key",
       "hidden scores are a large negative number, so that a row of them is a uniform softmax",
       [](RowModel& model) -> MaybePrediction {
         if (model.place().live) return std::nullopt;
         const RowSpan v =
             model.question().rows(TensorName::v, model.place().sequence, model.own_head());
         if (v.rows == 0) return std::nullopt;
         std::vector<double> mean(static_cast<std::size_t>(v.channels));
         for (Index key = 0; key < v.rows; ++key) {
           for (Index c = 0; c < v.channels; ++c) {
             mean[static_cast<std::size_t>(c)] += v.row(key)[c] / static_cast<double>(v.rows);
           }
         }
         return Prediction{std::move(mean), std::nullopt};
       }});
}

/// dK and dV from a part of the query heads of their group.
void add_groups(const Puzzle& puzzle, Candidates& all) {
  const Index group = puzzle.question.group();
  const auto add = [&](const std::string& is, const std::string& cause,
                       std::function<bool(Index member)> is_lost) {
    all.push_back({Axis::head, is, cause, [is_lost = std::move(is_lost)](RowModel& model) {
                     Edit edit = edit_terms(
                         model, 0, model.question().sequence(model.place().sequence).query_length,
                         -1);
                     std::erase_if(edit.pieces, [&](const Piece& piece) {
                       return !is_lost(piece.head - model.own_head());
                     });
                     return edited(model, edit);
                   }});
  };
  if (group < 2) return;
  for (Index member = 0; member < std::min<Index>(group, 16); ++member) {
    add(fmt::format("is right if query head {} of each group is the only one that counts", member),
        "one query head overwrites the sum over its group",
        [member](Index g) { return g != member; });
    if (group == 2) continue;
    add(fmt::format("is right if query head {} of each group does not count", member),
        "one query head is left out of the sum over its group",
        [member](Index g) { return g == member; });
  }
}

/// dQ and dK with a wrong D, the row sum of dO O.
void add_deltas(const Puzzle& puzzle, Candidates& all) {
  const auto add = [&](const std::string& is, const std::string& cause,
                       const std::function<double(const Question&, Index, Index, Index)>& delta) {
    all.push_back({Axis::rows, is, cause, [delta](RowModel& model) {
                     const Index s = model.place().sequence;
                     return MaybePrediction(model.with_delta([&](Index head, Index query) {
                       return delta(model.question(), s, head, query);
                     }));
                   }});
  };
  add("is right if D, the row sum of dO O, is left out", "D is not subtracted from dP",
      [](const Question&, Index, Index, Index) { return 0.0; });
  if (puzzle.question.problem().lse_cotangent) {
    const auto cotangent = [](const Question& question, Index s, Index head, Index query) {
      return *question.rows(TensorName::dlse, s, head).row(query);
    };
    add("is right if the cotangent of the LSE is left out", "dLSE is ignored",
        [cotangent](const Question& q, Index s, Index h, Index i) {
          return q.delta(s, h, i) + cotangent(q, s, h, i);
        });
    add("is right if the cotangent of the LSE has the other sign", "the sign of dLSE in D",
        [cotangent](const Question& q, Index s, Index h, Index i) {
          return q.delta(s, h, i) + 2 * cotangent(q, s, h, i);
        });
  }
  for (const Index step : {-1, 1, -16, -32, -64, -128, 16, 32, 64, 128}) {
    add(fmt::format("is right if D is read {} row{} {}", std::abs(step),
                    std::abs(step) == 1 ? "" : "s", step > 0 ? "later" : "earlier"),
        "D of another block of rows", [step](const Question& question, Index s, Index h, Index i) {
          const Index last = question.sequence(s).query_length - 1;
          const Index other = i + step < 0 || i + step > last ? i : i + step;
          return question.delta(s, h, other);
        });
  }
  if (puzzle.errors.name != TensorName::dq || puzzle.errors.channels < 4) return;
  all.push_back({Axis::rows, "is wrong in each row along sum_j p k, the direction of D",
                 "a wrong D, the row sum of dO O",
                 [](RowModel& model) {
                   const TensorErrors& errors = model.errors();
                   const std::vector<double> along = model.delta_direction();
                   Prediction prediction = model.unchanged();
                   double ed = 0;
                   double dd = 0;
                   for (Index c = 0; c < errors.channels; ++c) {
                     const Index i = model.place().first + c;
                     const double inverse = 1 / errors.sigma_at(i);
                     const double slope = along[static_cast<std::size_t>(c)] * inverse;
                     ed += (errors.got(i) - errors.want(i)) * inverse * slope;
                     dd += slope * slope;
                   }
                   for (std::size_t c = 0; c < along.size() && dd > 0; ++c) {
                     prediction.value[c] += ed / dd * along[c];
                   }
                   return MaybePrediction(std::move(prediction));
                 },
                 1});
}

void append(Candidates& all, Candidates more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

}  // namespace

std::vector<Candidate> all_candidates(const Puzzle& puzzle) {
  Candidates all;
  const TensorName name = puzzle.errors.name;
  add_masks(mask_alternatives(puzzle.question), all);
  if (name == TensorName::o) {
    add_head_maps(puzzle, all);
    add_neighbours(puzzle, all);
    add_scales(puzzle, all);
    add_zero_keys(puzzle, all);
    add_average(all);
  }
  append(all, direct_candidates(puzzle));
  append(all, scan_candidates(puzzle));
  if (name != TensorName::o) append(all, leftover_candidates(puzzle));
  add_masks(tiled_alternatives(puzzle.question), all);
  if (name == TensorName::o) {
    add_channel_tails(puzzle, all);
    add_value_orders(all);
  }
  if (name == TensorName::dk || name == TensorName::dv) add_groups(puzzle, all);
  if (name == TensorName::dq || name == TensorName::dk) add_deltas(puzzle, all);
  return all;
}

}  // namespace fathom
