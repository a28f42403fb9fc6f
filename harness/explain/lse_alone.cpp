// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/lse_alone.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace fathom {
namespace {

/// Units and offsets of the LSE.
struct LseForm {
  std::string_view is;
  std::string_view cause;
  double (*of)(double lse, double offset);
};
constexpr std::array lse_forms{
    LseForm{"is in units of log 2 instead of natural ones",
            "an LSE of base-2 exponentials without its factor ln 2",
            [](double lse, double) { return lse / 0.6931471805599453; }},
    LseForm{"is multiplied by ln 2 once too often", "a change of base applied to a natural LSE",
            [](double lse, double) { return lse * 0.6931471805599453; }},
    LseForm{"has the wrong sign", "the negative LSE is stored",
            [](double lse, double) { return -lse; }},
    LseForm{"is the sum of exponentials, not its logarithm", "the logarithm is left out",
            [](double lse, double) { return std::exp(lse); }},
    LseForm{"is zero", "the LSE is not written", [](double, double) { return 0.0; }},
    LseForm{"is off by the same number in every row",
            "a constant left out of the LSE or added to it",
            [](double lse, double offset) { return lse + offset; }},
};

double median_offset(const TensorErrors& lse) {
  std::vector<double> offsets;
  for (const RowError& row : lse.rows) {
    if (row.live && !row.nonfinite) offsets.push_back(lse.got(row.first) - lse.want(row.first));
  }
  if (offsets.empty()) return 0;
  const auto middle = offsets.begin() + std::ssize(offsets) / 2;
  std::nth_element(offsets.begin(), middle, offsets.end());
  return *middle;
}

}  // namespace

bool is_wrong_alone(const TensorErrors& o, const TensorErrors& lse) {
  Index bad = 0;
  Index shown = 0;
  for (std::size_t at = 0; at < lse.rows.size(); ++at) {
    const Index element = lse.rows[at].first;
    if (!lse.rows[at].bad) continue;
    ++bad;
    const double e = std::abs(lse.got(element) - lse.want(element));
    const double share = std::isfinite(e) ? 1 - std::exp(-e) : 1;
    double energy = 0;
    for (Index i = o.rows[at].first; i < o.rows[at].first + o.channels; ++i) {
      const double z = share * o.want(i) / o.sigma_at(i);
      energy += z * z;
    }
    const double limit = 2 * o.row_limit;
    shown += energy > limit * limit * static_cast<double>(o.channels);
  }
  return shown > 0 && 10 * shown >= bad;
}

std::optional<Explanation> lse_form(const TensorErrors& lse) {
  const double offset = median_offset(lse);
  for (const LseForm& form : lse_forms) {
    Index live = 0;
    Index fits = 0;
    Index bad = 0;
    Index bad_fits = 0;
    for (const RowError& row : lse.rows) {
      if (!row.live) continue;
      ++live;
      const double value = form.of(lse.want(row.first), offset);
      const bool fit = std::abs(lse.got(row.first) - value) <=
                       3 * lse.sigma_at(row.first) + 4e-7 * std::abs(value);
      fits += fit;
      bad += row.bad;
      bad_fits += row.bad && fit;
    }
    // A few rows fit a fitted offset by accident.
    if (live < 8 || 100 * fits < 99 * live || 2 * bad < live || 100 * bad_fits < 99 * bad) continue;
    return Explanation{Axis::lse, "lse", "", fmt::format("LSE {}, and O is right.", form.is),
                       std::string(form.cause) + "."};
  }
  return std::nullopt;
}

}  // namespace fathom
