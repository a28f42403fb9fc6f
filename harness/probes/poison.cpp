// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/poison.h"

#include "harness/probes/relations.h"

#include <array>

namespace fathom::poison_probe {
namespace {

struct Surrounded {
  std::string_view label;
  Surroundings with;
};
constexpr std::array surrounded{
    Surrounded{"NaN around the inputs", Surroundings::nan},
    Surrounded{"zeros around the inputs", Surroundings::zeros},
};

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all{base_trial(c)};
  if (wants_repetition(c)) all.push_back(repetition_trial(c));
  for (const Surrounded& row : surrounded) {
    all.push_back(
        {.label = std::string(row.label), .c = c, .surroundings = row.with, .oracle = false});
  }
  all.push_back(control_trial(c));
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  Yardstick base(outcomes[0]);
  if (wants_repetition(c)) base.allow_noise_seen_in(outcomes[1]);
  std::vector<Finding> findings;
  for (const Surrounded& row : surrounded) {
    const Outcome* outcome = answered(outcomes, row.label);
    if (outcome == nullptr) continue;
    for (const TensorName name : given_outputs(*outcome)) {
      const Difference difference = base.compare(name, *outcome);
      if (base.equal(name, difference)) continue;
      findings.push_back(difference_finding(
          "probe.poison", FailClass::out_of_bounds,
          std::string(row.label) + " changes the answer, so memory outside them is read",
          difference));
    }
  }
  return judgement_of(std::move(findings), why_control_failed(base, outcomes));
}

}  // namespace fathom::poison_probe
