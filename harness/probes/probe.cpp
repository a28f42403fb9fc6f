// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/probe.h"

#include "harness/core/error.h"
#include "harness/probes/boundary_value.h"
#include "harness/probes/coherent_rounding.h"
#include "harness/probes/conventions.h"
#include "harness/probes/edges.h"
#include "harness/probes/hidden_change.h"
#include "harness/probes/honesty.h"
#include "harness/probes/invariance.h"
#include "harness/probes/key_count.h"
#include "harness/probes/linearity.h"
#include "harness/probes/needle.h"
#include "harness/probes/plain.h"
#include "harness/probes/poison.h"
#include "harness/probes/repeat.h"
#include "harness/probes/sums.h"
#include "harness/probes/uniform_weights.h"

#include <algorithm>
#include <array>

namespace fathom {
namespace {

constexpr std::array probes{
    Probe{ProbeName::plain, &plain_probe::trials, &plain_probe::judge},
    Probe{ProbeName::key_count, &key_count_probe::trials, &key_count_probe::judge},
    Probe{ProbeName::uniform_weights, &uniform_weights_probe::trials,
          &uniform_weights_probe::judge},
    Probe{ProbeName::needle, &needle_probe::trials, &needle_probe::judge},
    Probe{ProbeName::boundary_value, &boundary_value_probe::trials, &boundary_value_probe::judge},
    Probe{ProbeName::linearity, &linearity_probe::trials, &linearity_probe::judge},
    Probe{ProbeName::sums, &sums_probe::trials, &sums_probe::judge},
    Probe{ProbeName::coherent_rounding, &coherent_rounding_probe::trials,
          &coherent_rounding_probe::judge},
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
