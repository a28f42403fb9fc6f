// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/boundary_value.h"

#include "harness/probes/edge_keys.h"
#include "harness/probes/exact_limits.h"
#include "harness/probes/numbers.h"
#include "harness/probes/running_sums.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom::boundary_value_probe {
namespace {

using namespace probing;

constexpr Index rounds = 2;  ///< Trials with dv edge keys each.

double amplitude(Index channel) {
  return channel % 2 == 0 ? 1 : 2;
}

/// V of the edge keys of one round: channel c marks the key number round * dv + c of the list.
void mark_edges(const Problem& problem, TensorSet& inputs, Index round) {
  fill_with(problem, inputs, TensorName::v, 0);
  std::vector<std::vector<Index>> edges;
  for (Index s = 0; s < static_cast<Index>(problem.sequences.size()); ++s) {
    edges.push_back(edge_keys(problem, s, rounds * problem.value_dim));
  }
  const auto first = static_cast<std::size_t>(round * problem.value_dim);
  rewrite(problem, inputs, TensorName::v, [&](const RowAt& at, std::span<double> v) {
    const auto& list = edges[static_cast<std::size_t>(at.sequence)];
    for (std::size_t c = 0; c < v.size() && first + c < list.size(); ++c) {
      if (list[first + c] == at.row) v[c] = amplitude(static_cast<Index>(c));
    }
  });
}

void mark_every_dv_th(const Problem& problem, TensorSet& inputs) {
  rewrite(problem, inputs, TensorName::v, [](const RowAt& at, std::span<double> v) {
    std::fill(v.begin(), v.end(), 0.0);
    const auto c = static_cast<std::size_t>(at.row) % v.size();
    v[c] = amplitude(static_cast<Index>(c));
  });
}

Trial make_trial(const Case& c, std::string label,
                 std::function<void(const Problem&, TensorSet&)> edit) {
  Trial trial{.label = std::move(label), .c = c, .edit = std::move(edit), .oracle = false};
  trial.c.fill = Fill::q_zero;
  return trial;
}

/// Marks are equal numbers, which add up exactly: what is left is the rounding of 1/n, be it one
/// weight's (of a kernel that normalises first) or l's, and that of O.
double limit_of(const Problem& problem, const Arithmetic& arithmetic, const Sum& sum) {
  if (sum.value == 0) return 0;
  if (problem.dtype == Dtype::f64) return fp64_share * sum.value;
  const double slack = product_limit(problem.dtype, arithmetic, sum) +
                       relative_rounding(arithmetic.p_dtype, arithmetic.p_round) * sum.value;
  return rounding_limit(problem.dtype, arithmetic.out_round, sum.value, slack) + slack;
}

struct Found {
  Tally hidden;   ///< What must be exactly 0.
  Tally visible;  ///< What must be the share of the marks.
};

Found compare(const Outcome& outcome) {
  const Observation& observation = *outcome.observation;
  const Problem& problem = observation.c.problem;
  const RunningSums sums(problem, TensorName::v, outcome.inputs->at(TensorName::v));
  const Numbers got(problem, TensorName::o, *given(observation, TensorName::o));
  Found found;
  visit_rows(problem, TensorName::o, [&](const RowAt& at) {
    const KeyRange keys = keys_seen(problem, at);
    for (Index c = 0; c < problem.value_dim; ++c) {
      const Sum sum = sums.mean(at.sequence, kv_head_of(problem, at.head), keys, c);
      const double limit = limit_of(problem, observation.arithmetic, sum);
      (sum.value == 0 ? found.hidden : found.visible)
          .compare(at.first + c, got.values()[static_cast<std::size_t>(at.first + c)], sum.value,
                   limit);
    }
  });
  return found;
}

/// Which key the channel of an element marks, for messages; empty if it marks many.
std::string marked_key(const Outcome& outcome, std::size_t trial, Index element) {
  const Problem& problem = outcome.trial->c.problem;
  const ElementPlace at = place_of(problem, TensorName::o, element);
  const auto dv = static_cast<std::size_t>(problem.value_dim);
  const auto c = static_cast<std::size_t>(at.channel);
  if (trial == 0) return fmt::format("every {}th key from {} on", dv, c);
  const auto edges = edge_keys(problem, at.sequence, rounds * problem.value_dim);
  const std::size_t i = (trial - 1) * dv + c;
  return i < edges.size() ? fmt::format("key {}", edges[i]) : "no key";
}

void report(std::vector<Finding>& findings, const Outcome& outcome, std::size_t trial,
            const Found& found) {
  const Problem& problem = outcome.trial->c.problem;
  if (!found.hidden.clean()) {
    findings.push_back(
        found.hidden.finding(problem, TensorName::o, "probe.boundary_value.hidden",
                             fmt::format("o: a row reads {}, of which it may see none",
                                         marked_key(outcome, trial, found.hidden.worst()))));
  }
  if (!found.visible.clean()) {
    findings.push_back(found.visible.finding(
        problem, TensorName::o, "probe.boundary_value",
        fmt::format("o: a row takes another share of {} than 1/n of each that it sees",
                    marked_key(outcome, trial, found.visible.worst()))));
  }
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all{make_trial(c, "each channel marks every dv-th key", mark_every_dv_th)};
  for (Index round = 0; round < rounds; ++round) {
    all.push_back(make_trial(c, fmt::format("each channel marks one edge key, round {}", round),
                             [round](const Problem& problem, TensorSet& inputs) {
                               mark_edges(problem, inputs, round);
                             }));
    Index longest = 0;
    for (const Sequence& s : c.problem.sequences) longest = std::max(longest, s.key_length);
    if (longest <= (round + 1) * c.problem.value_dim) break;
  }
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  if (!someone_sees(c.problem)) return judgement_of({}, "no query sees a key: O is 0 throughout");
  std::vector<Finding> findings;
  std::string lost;
  for (std::size_t t = 0; t < outcomes.size(); ++t) {
    if (!outcomes[t].observation || given(*outcomes[t].observation, TensorName::o) == nullptr) {
      lost = "no O came back of the trial " + outcomes[t].trial->label;
      continue;
    }
    report(findings, outcomes[t], t, compare(outcomes[t]));
  }
  return judgement_of(std::move(findings), lost);
}

}  // namespace fathom::boundary_value_probe
