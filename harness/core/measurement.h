// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// The latency of one pass (`forward`, `backward`) of one prepared Case in one worker.
struct Latency {
  std::string pass;
  std::string mode;                ///< event (device events) or cpu (monotonic clock).
  bool cold = false;               ///< Caches flushed before every sample.
  std::vector<double> samples_ns;  ///< All of them, in order.
  double median_ns = 0;
  double q25_ns = 0;
  double q75_ns = 0;
  double min_ns = 0;
  /// Half width of the 95 % interval of the median, from order statistics; null for few samples.
  std::optional<double> half_width_95_ns;
  std::string stop_reason;  ///< precision, budget.
  double flops_per_s = 0;   ///< Useful FLOPs (exact visible pairs) over the median.
  double bytes_per_s = 0;   ///< Compulsory bytes over the median.
  bool operator==(const Latency&) const = default;
};

/// What the worker could tell about memory; null with a reason where it could not.
struct MemoryUse {
  std::optional<Index> peak_bytes;  ///< Peak growth during one execution.
  std::string method;               ///< allocator, resident, or empty.
  std::string reason;               ///< Why peak_bytes is null.
  Index output_bytes = 0;
  bool operator==(const MemoryUse&) const = default;
};

struct Measurement {
  std::vector<Latency> latency;
  std::optional<MemoryUse> memory;
  std::optional<double> first_call_ns;
  std::string why_no_latency;  ///< "no pass, no time", or the worker's reason.
  bool operator==(const Measurement&) const = default;
};

}  // namespace fathom
