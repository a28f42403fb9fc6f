// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/chi_square.h"

#include <cmath>
#include <numbers>

namespace fathom {

double chi_square_tail(Index degrees, double x) {
  const double half = x / 2;
  const bool odd = degrees % 2 != 0;
  // Q(a + 1, y) = Q(a, y) + y^a e^-y / Gamma(a + 1), from Q(1/2, y) = erfc(sqrt y) or Q(1, y).
  double tail = odd ? std::erfc(std::sqrt(half)) : std::exp(-half);
  double a = odd ? 0.5 : 1;
  double term =
      odd ? 2 * std::sqrt(half / std::numbers::pi) * std::exp(-half) : half * std::exp(-half);
  for (; 2 * a < static_cast<double>(degrees); ++a) {
    tail += term;
    term *= half / (a + 1);
  }
  return tail;
}

double chi_square_upper_quantile(Index degrees, double tail) {
  double low = 0;
  double high = static_cast<double>(degrees) + 1;
  while (chi_square_tail(degrees, high) > tail) high *= 2;
  while (high - low > 1e-10 * high) {
    const double middle = (low + high) / 2;
    (chi_square_tail(degrees, middle) > tail ? low : high) = middle;
  }
  return high;
}

}  // namespace fathom
