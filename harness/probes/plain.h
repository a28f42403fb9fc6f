// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

namespace fathom::plain_probe {

/// The Case as it stands, once; judged by every Check.
std::vector<Trial> trials(const Case& c);
Judgement judge(const Case& c, std::span<const Outcome> outcomes);

}  // namespace fathom::plain_probe
