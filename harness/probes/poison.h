// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::poison_probe {

/// Essence: what lies in memory around the inputs (a pattern, zeros, NaN) changes no output bit.
/// Finds reads past the end, tails multiplied by a weight of 0 instead of left out, and rows of
/// padding that take part. Control: another visible key changes the answer.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::poison_probe
