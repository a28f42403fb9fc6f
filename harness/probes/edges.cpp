// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/edges.h"

#include "harness/probes/relations.h"

#include <fmt/format.h>

#include <array>

namespace fathom::edges_probe {
namespace {

struct Lengths {
  Index queries;
  Index keys;
};

/// Round 64 and 128, both ways; without queries or keys last, since they bring some backends down.
constexpr std::array edge_lengths{
    Lengths{1, 1},   Lengths{1, 64},    Lengths{64, 1},    Lengths{63, 65},   Lengths{65, 63},
    Lengths{64, 64}, Lengths{127, 129}, Lengths{129, 127}, Lengths{128, 128}, Lengths{1, 129},
    Lengths{129, 1}, Lengths{64, 0},    Lengths{0, 64},
};

constexpr std::array batch_lengths{
    Lengths{65, 64}, Lengths{0, 0},  Lengths{1, 129},
    Lengths{0, 63},  Lengths{64, 0}, Lengths{127, 128},
};

Sequence sequence_of(const Case& c, const Lengths& lengths) {
  const bool prefix = has<PrefixLm>(c.problem.mask);
  return {lengths.queries, lengths.keys, prefix ? lengths.keys / 2 : 0};
}

Trial one_length(const Case& c, const Lengths& lengths) {
  Trial trial{.label = fmt::format("{}x{}", lengths.queries, lengths.keys), .c = c};
  trial.c.problem.sequences.assign(2, sequence_of(c, lengths));
  return trial;
}

Trial mixed_batch(const Case& c) {
  Trial trial{.label = "empty sequences inside a batch", .c = c};
  trial.c.problem.layout = Layout::thd;
  trial.c.problem.sequences.clear();
  for (const Lengths& lengths : batch_lengths) {
    trial.c.problem.sequences.push_back(sequence_of(c, lengths));
  }
  return trial;
}

/// Adds what one Trial found, under its label; returns that in a few words. `power` is raised if an
/// all-zero answer would not have passed.
std::string add(const Outcome& outcome, std::vector<Finding>& findings, bool& power) {
  if (!outcome.observation) return "refused: " + outcome.refusal_code;
  const Judgement judgement = fathom::judge(*outcome.observation);
  power |= judgement.verdict != Verdict::vacuous;
  for (Finding finding : judgement.findings) {
    finding.message = outcome.trial->label + ": " + finding.message;
    finding.check = "probe.edges." + finding.check;
    findings.push_back(std::move(finding));
  }
  if (judgement.verdict == Verdict::fail) return "wrong (" + judgement.findings[0].check + ")";
  return judgement.verdict == Verdict::vacuous ? judgement.reason : "right";
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all{base_trial(c)};
  for (const Lengths& lengths : edge_lengths) all.push_back(one_length(c, lengths));
  all.push_back(mixed_batch(c));
  return all;
}

Judgement judge(const Case& /*c*/, std::span<const Outcome> outcomes) {
  std::vector<Finding> findings;
  std::map<std::string, std::string> answers;
  bool power = false;
  for (const Outcome& outcome : outcomes) {
    answers[outcome.trial->label] = add(outcome, findings, power);
  }
  Judgement judgement =
      judgement_of(std::move(findings), power ? "" : "an all-zero answer would have passed");
  judgement.answers = std::move(answers);
  return judgement;
}

}  // namespace fathom::edges_probe
