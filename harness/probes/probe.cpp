// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/probe.h"

#include "harness/core/error.h"
#include "harness/probes/conventions.h"
#include "harness/probes/edges.h"
#include "harness/probes/hidden_change.h"
#include "harness/probes/honesty.h"
#include "harness/probes/invariance.h"
#include "harness/probes/plain.h"
#include "harness/probes/poison.h"
#include "harness/probes/repeat.h"

#include <algorithm>
#include <array>

namespace fathom {
namespace {

constexpr std::array probes{
    Probe{ProbeName::plain, &plain_probe::trials, &plain_probe::judge},
    Probe{ProbeName::poison, &poison_probe::trials, &poison_probe::judge},
    Probe{ProbeName::hidden_change, &hidden_change_probe::trials, &hidden_change_probe::judge},
    Probe{ProbeName::invariance, &invariance_probe::trials, &invariance_probe::judge},
    Probe{ProbeName::edges, &edges_probe::trials, &edges_probe::judge},
    Probe{ProbeName::repeat, &repeat_probe::trials, &repeat_probe::judge},
    Probe{ProbeName::honesty, &honesty_probe::trials, &honesty_probe::judge},
    Probe{ProbeName::conventions, &conventions_probe::trials, &conventions_probe::judge},
};

}  // namespace

const Probe& probe_named(ProbeName name) {
  const auto found =
      std::find_if(probes.begin(), probes.end(), [&](const Probe& p) { return p.name == name; });
  if (found == probes.end()) throw Error("there is no probe " + std::string(to_string(name)));
  return *found;
}

}  // namespace fathom
