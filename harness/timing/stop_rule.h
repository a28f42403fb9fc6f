// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

namespace fathom {

/// When to stop asking for samples. Pure; the driver owns it, for every language of worker.
struct StopRule {
  int min_samples = 5;
  int max_samples = 30;
  double budget_ns = 2e8;             ///< Sum of the samples.
  double relative_half_width = 0.02;  ///< Of the median's 95 % interval.
};

/// `precision`, `budget`, or empty to go on.
std::string why_stop(const StopRule& rule, std::span<const double> samples_ns);

}  // namespace fathom
