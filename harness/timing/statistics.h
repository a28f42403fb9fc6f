// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

namespace fathom {

/// Quantile q in [0, 1] of the samples (linear between order statistics). Needs one sample.
double quantile(std::span<const double> samples, double q);

/// Half width of the 95 % confidence interval of the median from binomial ranks of the order
/// statistics; empty for fewer than 6 samples (no such interval exists).
std::optional<double> median_half_width_95(std::span<const double> samples);

}  // namespace fathom
