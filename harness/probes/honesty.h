// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::honesty_probe {

/// Essence: every argument is obeyed or refused. For each argument two Problems that differ in it
/// alone, made from the Case's (always with the Fill `flat`, where every key counts), so far apart
/// that their answers cannot be mistaken for one another: the answer to the second must be its own.
/// `honoured`, `refused`, `ignored` (right for the first, wrong for the second), `fallback` (right,
/// but by another lowering than the Case's) or `vacuous` (the two are too near) goes into the
/// answers; ignored breaks the contract. Control: the distance of each pair.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::honesty_probe
