// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::invariance_probe {

/// Essence: the same numbers asked for in another way get the same answer. Bit-equal: other
/// layouts, sequences and groups of heads in another order. Bit-equal or within the row limit, and
/// reported which: a sequence or a group alone instead of in its batch, K and V repeated for every
/// query head, another lowering. Within the limits of the Checks: keys in another order (full mask)
/// and K + const; and two halves of the keys merged by their LSE. Finds assumed strides, wrong head
/// maps, aliasing between sequences, and splits that lose weight. Control: another visible key
/// changes the answer.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::invariance_probe
