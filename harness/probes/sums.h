// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::sums_probe {

/// Essence: backward passes whose every term is known. Q and K live in different channels, so that
/// every weight is 1/n and every dS is one of two numbers a row: dQ, dK and dV are sums of known
/// numbers and must be right to the last rounding (narrow gradient accumulators, lost tiles, a
/// truncated P or dS, at any length). With V = 1 dP equals D, so that dQ and dK vanish up to fp32
/// rounding (D of another row, D or dP rounded, D left out). On random numbers the rows of dV must
/// add up to those of dO; with one K for all keys dQ must vanish within its budget. No control: an
/// answer of 0 is wrong in the first question.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::sums_probe
