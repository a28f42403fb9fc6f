// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::repeat_probe {

/// Essence: the same question gives the same bits ten times, with other questions (other numbers,
/// other lengths) in between. Gradients need not if nobody asked for it, but then two runs lie
/// within one standard deviation of rounding of each other. Finds races, unordered sums, stale
/// plans and the outputs of an earlier call. Control: other numbers give another answer.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::repeat_probe
