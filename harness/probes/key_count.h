// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::key_count_probe {

/// Essence: with Q = 0 every score is 0, so that the LSE of a row is the logarithm of the number of
/// keys that it sees: one key too many or too few shows in every row, whatever the mask, up to
/// 1.5e5 keys. Control: with Q random the LSE must move.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::key_count_probe
