// SPDX-License-Identifier: Apache-2.0
#include "harness/timing/stop_rule.h"

#include "harness/timing/statistics.h"

#include <numeric>

namespace fathom {

std::string why_stop(const StopRule& rule, std::span<const double> samples_ns) {
  const auto count = static_cast<int>(samples_ns.size());
  if (count == 0 || count < rule.min_samples) return {};
  const auto half_width = median_half_width_95(samples_ns);
  if (half_width && *half_width <= rule.relative_half_width * quantile(samples_ns, 0.5)) {
    return "precision";
  }
  const double spent_ns = std::accumulate(samples_ns.begin(), samples_ns.end(), 0.0);
  return count >= rule.max_samples || spent_ns >= rule.budget_ns ? "budget" : "";
}

}  // namespace fathom
