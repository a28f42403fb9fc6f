// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::edges_probe {

/// Essence: every Check holds at lengths 0, 1 and one less, equal and one more than the usual tile
/// sizes, with more queries than keys and the other way round, and where sequences without queries
/// or keys lie inside a batch. Finds tail bugs, empty rows, 0/0 and missing early exits. What the
/// backend refuses is listed in the answers.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::edges_probe
