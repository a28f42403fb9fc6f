// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"
#include "harness/core/metrics.h"

namespace fathom {

/// Every number recorded of one output, pass or fail. They explain Verdicts and make none.
TensorMetrics metrics_of(const Evidence& evidence, const Comparison& comparison);

/// The bucket of TensorMetrics::ulp_hist for one element: how many steps of the dtype `got` is away
/// from the correctly rounded `want`.
std::size_t ulp_bucket(Dtype dtype, double got, double want);

}  // namespace fathom
