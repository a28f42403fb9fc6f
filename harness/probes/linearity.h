// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::linearity_probe {

/// Essence: O is linear in V and the gradients are linear in dO, and a power of two commutes with
/// every rounding that neither overflows nor underflows: the scaled question has the scaled answer,
/// bit by bit. V lies in [1, 2) and Q is small, so that O never leaves the normal numbers while an
/// accumulator of fp16 overflows from three keys on. Finds narrow accumulators and stray additions.
/// Control: what is compared is not 0, and the unscaled question, asked twice, has one answer.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::linearity_probe
