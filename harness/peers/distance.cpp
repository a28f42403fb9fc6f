// SPDX-License-Identifier: Apache-2.0
#include "harness/peers/distance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom {
namespace {

/// The largest of distance(0), ..., distance(count - 1); NaN if one of them is.
template <typename Distance>
double largest(std::size_t count, Distance distance) {
  double most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double d = distance(i);
    if (std::isnan(d)) return d;
    most = std::max(most, d);
  }
  return most;
}

}  // namespace

double max_distance(std::span<const double> a, std::span<const double> b) {
  return largest(a.size(), [&](std::size_t i) { return std::abs(a[i] - b[i]); });
}

double mean_distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

double max_relative_distance(std::span<const double> a, std::span<const double> b, double at_zero) {
  return largest(a.size(), [&](std::size_t i) {
    const double d = std::abs((a[i] - b[i]) / b[i]);
    return std::isnan(d) ? at_zero : d;
  });
}

double closeness_share(double a, double b, Closeness limit) {
  if (a == b) return 0;
  if (std::isinf(b)) return std::numeric_limits<double>::infinity();
  return peer_share(std::abs(a - b), limit.absolute + limit.relative * std::abs(b));
}

double worst_closeness(std::span<const double> a, std::span<const double> b, Closeness limit) {
  return largest(a.size(), [&](std::size_t i) { return closeness_share(a[i], b[i], limit); });
}

double share_not_close(std::span<const double> a, std::span<const double> b, Closeness limit) {
  std::size_t outside = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(closeness_share(a[i], b[i], limit) <= 1)) ++outside;
  }
  return static_cast<double>(outside) / static_cast<double>(a.size());
}

double normalised_square_error(std::span<const double> a, std::span<const double> b) {
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return peer_share(error, size);
}

double cosine_deficit(std::span<const double> a, std::span<const double> b) {
  double aa = 0;
  double bb = 0;
  double ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += a[i] * a[i];
    bb += b[i] * b[i];
    ab += a[i] * b[i];
  }
  return 1 - ab / (std::sqrt(aa) * std::sqrt(bb));
}

double peer_share(double value, double limit) {
  return value == 0 ? 0 : value / limit;
}

}  // namespace fathom
