// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/case.h"
#include "harness/core/filter.h"
#include "harness/core/report.h"

#include <string>
#include <vector>

namespace fathom {

/// Who is to answer: the backends asked for (`sdpa:math`, `sdpa:math/loop`, `sdpa:math/*` for every
/// lowering apart, `sdpa:*`), or, if none are asked for, all that are present.
/// Throws UsageError for a pattern that nothing matches.
std::vector<std::string> choose_targets(const std::vector<BackendStatus>& backends,
                                        const std::vector<std::string>& patterns);

/// Every Case put to every target, Case by Case, so that one oracle answer serves all backends;
/// cases that the filter does not match and repeated ones are left out.
std::vector<PlannedCase> make_plan(const std::vector<Case>& cases,
                                   const std::vector<std::string>& targets, const Filter& filter);

}  // namespace fathom
