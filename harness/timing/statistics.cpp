// SPDX-License-Identifier: Apache-2.0
#include "harness/timing/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>
#include <vector>

namespace fathom {
namespace {

std::vector<double> sorted(std::span<const double> samples) {
  std::vector<double> values(samples.begin(), samples.end());
  std::sort(values.begin(), values.end());
  return values;
}

/// The largest r for which the interval from the r-th smallest to the r-th largest of n samples
/// holds the median with probability >= 95 %: that many samples lie below it with probability
/// P(Binomial(n, 1/2) < r) <= 2.5 %. 0 if there is none. No distribution is assumed.
std::size_t interval_rank_95(std::size_t n) {
  const auto count = static_cast<double>(n);
  double below = 0;
  std::size_t rank = 0;
  for (; rank < n; ++rank) {
    const auto k = static_cast<double>(rank);
    below += std::exp(std::lgamma(count + 1) - std::lgamma(k + 1) - std::lgamma(count - k + 1) -
                      count * std::numbers::ln2);
    if (below > 0.025) break;
  }
  return rank;
}

}  // namespace

double quantile(std::span<const double> samples, double q) {
  assert(!samples.empty() && q >= 0 && q <= 1);
  const std::vector<double> values = sorted(samples);
  const double position = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(position);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (position - std::floor(position)) * (values[high] - values[low]);
}

std::optional<double> median_half_width_95(std::span<const double> samples) {
  const std::size_t rank = interval_rank_95(samples.size());
  if (rank == 0) return std::nullopt;
  const std::vector<double> values = sorted(samples);
  return (values[values.size() - rank] - values[rank - 1]) / 2;
}

}  // namespace fathom
