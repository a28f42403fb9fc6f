// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::hidden_change_probe {

/// Essence: what a row may not see does not move one bit of it. K and V of hidden keys become large
/// finite numbers: keys that nobody sees, all keys that one row does not see, every other sequence,
/// every other KV head. O, LSE, dQ of the rows, and dK, dV of the keys, that nothing changed
/// reaches stay bit-equal; dK and dV of keys that nobody sees are exactly 0. Finds leaks of any
/// size: wrong masks, neighbours in a packed batch, wrong head maps. Control: the last visible key
/// does move its row.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::hidden_change_probe
