// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/term_list.h"

#include <algorithm>

namespace fathom {

TermList::TermList(Index count, Index width)
    : count_(count),
      width_(width),
      terms_(static_cast<std::size_t>(count * width)),
      levels_{Level{16, {}}, Level{256, {}}} {}

void TermList::finish() {
  for (Level& level : levels_) {
    level.sums.assign(static_cast<std::size_t>((count_ / level.step + 1) * width_), 0.0);
    for (Index i = 0; i < count_; ++i) {
      double* const sum = level.sums.data() + i / level.step * width_;
      const double* const from = term(i);
      for (Index c = 0; c < width_; ++c) sum[c] += from[c];
    }
  }
}

void TermList::add_one(const double* from, double weight, std::vector<double>& out) const {
  for (Index c = 0; c < width_; ++c) out[static_cast<std::size_t>(c)] += weight * from[c];
}

void TermList::add(Index begin, Index end, double weight, std::vector<double>& out) const {
  begin = std::max<Index>(begin, 0);
  end = std::min(end, count_);
  for (Index i = begin; i < end;) {
    Index step = 1;
    const double* from = term(i);
    for (const Level& level : levels_) {
      if (i % level.step != 0 || i + level.step > end) break;
      step = level.step;
      from = level.sums.data() + i / step * width_;
    }
    add_one(from, weight, out);
    i += step;
  }
}

}  // namespace fathom
