// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <array>
#include <vector>

namespace fathom {

/// A list of vectors whose sum over any interval is cheap: sums of 16 and of 256 neighbours are
/// kept. Differences of running sums would be cheaper still, but one large term would drown all
/// that follow it.
class TermList {
 public:
  TermList() = default;
  TermList(Index count, Index width);

  double* term(Index i) { return terms_.data() + i * width_; }
  [[nodiscard]] const double* term(Index i) const { return terms_.data() + i * width_; }
  /// To be called when all terms are set.
  void finish();
  [[nodiscard]] Index count() const { return count_; }
  [[nodiscard]] Index width() const { return width_; }
  /// out += weight * sum of the terms begin <= i < end, clipped to the list.
  void add(Index begin, Index end, double weight, std::vector<double>& out) const;

 private:
  struct Level {
    Index step = 1;
    std::vector<double> sums;
  };
  void add_one(const double* from, double weight, std::vector<double>& out) const;

  Index count_ = 0;
  Index width_ = 0;
  std::vector<double> terms_;
  std::array<Level, 2> levels_;
};

}  // namespace fathom
