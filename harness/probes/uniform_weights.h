// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::uniform_weights_probe {

/// Essence: with Q = 0 the unnormalised weight of every visible key is exactly 1, so rounding P
/// costs nothing and O is the mean of V with one rounding on top: a constant V comes back bit by
/// bit, a random one right to the last rounding. Accumulators, 1/l, split results and TF32 operands
/// narrower than declared show at any length. With V = 1 and any Q, O is 1. It speaks of kernels
/// that round the unnormalised P, as all flash kernels do. No control: an answer of 0, or one that
/// does not depend on V, is wrong in the first row that sees a key.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::uniform_weights_probe
