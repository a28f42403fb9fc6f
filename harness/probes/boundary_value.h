// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::boundary_value_probe {

/// Essence: Q = 0 and V zero but for one key a channel: that channel of O is exactly 0 in rows that
/// may not see the key and 1/n elsewhere. The keys are ends of tiles, of the prefix, of documents
/// and of the sequence. Then each channel marks every dv-th key, and counts how many of them a row
/// sees, which meets the ends of every row's own interval. Needs no LSE. Even channels carry 1 and
/// odd ones 2, so that no answer which ignores V can pass.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::boundary_value_probe
