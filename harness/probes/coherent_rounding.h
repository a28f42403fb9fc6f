// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::coherent_rounding_probe {

/// Essence: one key at the row's maximum and all others 0.37 below, so that every other weight is
/// rounded alike: an l that is summed from rounded weights leaves the LSE by up to u_P, thousands
/// of times its limit. Control: the rows that see key 0 and others must have another LSE than with
/// Q = 0. Also reports the common factor of O, which coherent rounding may honestly cause.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::coherent_rounding_probe
