// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/leftovers.h"

#include "harness/core/types.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace fathom {
namespace {

/// Memory that sums one tile of rows after the other, or one head after the other.
struct Buffer {
  Index tile = 0;        ///< Rows that it holds; 0: all rows of a head.
  Index heads_back = 1;  ///< From a head to the one that used it before.
};

/// Element of channel 0 of the row that stood in a row's place of the accumulator before it.
std::optional<Index> held_before(const RowModel& model, const Buffer& at) {
  const Problem& problem = model.question().problem();
  const TensorName name = model.name();
  const RowError& row = model.place();
  if (at.tile > 0 && row.row >= at.tile) {
    return row.first - at.tile * head_view(problem, name, row.sequence, row.head).row_stride;
  }
  const Index heads = head_count(problem, name);
  for (Index turn = row.sequence * heads + row.head - at.heads_back; turn >= 0;
       turn -= at.heads_back) {
    const HeadView view = head_view(problem, name, turn / heads, turn % heads);
    if (row.row >= view.rows) continue;  // The head before did not reach this place.
    const Index behind = view.rows - 1 - row.row;
    const Index last = row.row + (at.tile > 0 ? behind / at.tile * at.tile : 0);
    return view.offset + last * view.row_stride;
  }
  return std::nullopt;
}

std::optional<Prediction> added_to(const RowModel& model, const Buffer& at, double factor) {
  const auto held = held_before(model, at);
  if (!held) return std::nullopt;
  const TensorErrors& errors = model.errors();
  const Dtype dtype = errors.comparison->spec.dtype;
  Prediction prediction;
  for (Index c = 0; c < errors.channels; ++c) {
    const Index own = model.place().first + c;
    const double left = errors.got(*held + c);
    prediction.value.push_back(errors.want(own) + factor * left);
    // What was left has been rounded when it was written.
    const double rounding = std::isfinite(left) ? 0.3 * factor * ulp(dtype, left) : 0;
    prediction.sigma.push_back(std::hypot(errors.sigma_at(own), rounding));
  }
  return prediction;
}

}  // namespace

std::vector<Candidate> leftover_candidates(const Puzzle& puzzle) {
  std::vector<Candidate> candidates;
  const TensorName name = puzzle.errors.name;
  const double scale = softmax_scale(puzzle.question.problem());
  const auto add = [&](const Buffer& at, const std::string& is, double factor) {
    candidates.push_back({Axis::stale, is,
                          "an accumulator that is not cleared before it is used again",
                          [at, factor](RowModel& model) { return added_to(model, at, factor); }});
  };
  const auto add_both = [&](const Buffer& at, const std::string& is) {
    add(at, is, 1);
    // A sum that is scaled where it stands is scaled again with what follows.
    if (name != TensorName::dv && scale != 1) add(at, is + ", scaled once more", scale);
  };
  for (const Index tile : {16, 32, 64, 128}) {
    add_both(
        {tile, 1},
        fmt::format("is right if each tile of {} rows adds to what the one before left", tile));
  }
  add_both({0, 1}, "is right if each head adds to what the head before it left");
  const Index group = puzzle.question.group();
  if (name == TensorName::dq && group > 1) {
    add_both({0, group}, fmt::format("is right if each head adds to what the head {} places before "
                                     "it left",
                                     group));
  }
  return candidates;
}

}  // namespace fathom
