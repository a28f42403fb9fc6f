// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::conventions_probe {

/// Essence: which conventions the backend really has, read off its answers and never assumed. With
/// Q = 0 and V of one block of keys unit vectors, O says which keys each query sees; a few more
/// executions tell the base, layout and empty-row value of the LSE, O of an empty row and the
/// default scale. The Case gives dtype, layout, heads and widths; lengths and masks are the
/// Probe's own. Anything other than what was asked for breaks the contract; what the backend
/// refuses is said. Control: the full mask must read as full.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::conventions_probe
