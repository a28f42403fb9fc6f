// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::needle_probe {

/// Essence: every key is a code word of +-1 that names it, every query is a multiple of the code
/// word of one key, its target, so that the whole weight falls on this key; V holds (sequence, KV
/// head, position) in digits of 4 bits. O then names the key that was read. Targets are the first,
/// the last, an edge and a random key that the row sees; and the hidden keys next to its ends,
/// where O must be what the oracle says. No control: every row must read another number than 0.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::needle_probe
