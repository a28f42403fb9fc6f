// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/hidden_change.h"

#include "harness/core/visible.h"
#include "harness/probes/relations.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom::hidden_change_probe {
namespace {

using Flags = std::vector<char>;  // vector<bool> is slower, and needs no less code.

/// What one Trial changes: K and V of keys, Q and dO of queries, by sequence, in some KV heads and
/// their groups of query heads.
struct Change {
  std::string label;
  std::vector<Flags> keys;
  std::vector<Flags> queries;
  Flags kv_heads;
};

Flags flags(Index size, bool value) {
  return Flags(static_cast<std::size_t>(size), value ? 1 : 0);
}

Change change_nothing(const Problem& problem, std::string label) {
  Change change{std::move(label), {}, {}, flags(problem.kv_heads, true)};
  for (const Sequence& s : problem.sequences) {
    change.keys.push_back(flags(s.key_length, false));
    change.queries.push_back(flags(s.query_length, false));
  }
  return change;
}

bool changes_something(const Change& change) {
  const auto some = [](const std::vector<Flags>& all) {
    return std::any_of(all.begin(), all.end(),
                       [](const Flags& f) { return std::find(f.begin(), f.end(), 1) != f.end(); });
  };
  return (some(change.keys) || some(change.queries)) &&
         std::find(change.kv_heads.begin(), change.kv_heads.end(), 1) != change.kv_heads.end();
}

/// Keys that nobody sees, and queries that see nothing.
Change hidden_of_all(const Problem& problem) {
  Change change = change_nothing(problem, "keys that nobody sees and queries that see none");
  const std::vector<Reach> reach = reach_of(problem);
  const auto mark_zeros = [](const std::vector<Index>& counts, Flags& marks) {
    std::transform(counts.begin(), counts.end(), marks.begin(),
                   [](Index count) { return static_cast<char>(count == 0); });
  };
  for (std::size_t s = 0; s < reach.size(); ++s) {
    mark_zeros(reach[s].queries_of_key, change.keys[s]);
    mark_zeros(reach[s].keys_of_query, change.queries[s]);
  }
  return change;
}

/// The queries that see some keys of their sequence but not all.
std::vector<Index> half_blind_queries(const Mask& mask, const Sequence& sequence) {
  std::vector<Index> queries;
  for (Index query = 0; query < sequence.query_length; ++query) {
    const Index seen = visible_keys(mask, sequence, query).size();
    if (seen != 0 && seen != sequence.key_length) queries.push_back(query);
  }
  return queries;
}

/// In every sequence all keys that one query, `part` of the way down those half blind, may not see.
Change hidden_of_one(const Problem& problem, double part) {
  Change change = change_nothing(
      problem, fmt::format("keys hidden from the query {:.0f} % of the way down", 100 * part));
  for (std::size_t s = 0; s < problem.sequences.size(); ++s) {
    const std::vector<Index> queries = half_blind_queries(problem.mask, problem.sequences[s]);
    if (queries.empty()) continue;
    const auto at = static_cast<std::size_t>(part * static_cast<double>(queries.size() - 1));
    const KeyRange seen = visible_keys(problem.mask, problem.sequences[s], queries[at]);
    Flags& keys = change.keys[s];
    std::fill(keys.begin(), keys.begin() + seen.begin, 1);
    std::fill(keys.begin() + seen.end, keys.end(), 1);
  }
  return change;
}

Change every_other_sequence(const Problem& problem, std::size_t first) {
  Change change = change_nothing(problem, first == 0 ? "even sequences" : "odd sequences");
  for (std::size_t s = first; s < problem.sequences.size(); s += 2) {
    std::fill(change.keys[s].begin(), change.keys[s].end(), 1);
    std::fill(change.queries[s].begin(), change.queries[s].end(), 1);
  }
  return change;
}

Change every_other_head(const Problem& problem, std::size_t first) {
  Change change = change_nothing(problem, first == 0 ? "even KV heads" : "odd KV heads");
  for (Flags& keys : change.keys) std::fill(keys.begin(), keys.end(), 1);
  for (Flags& queries : change.queries) std::fill(queries.begin(), queries.end(), 1);
  for (std::size_t head = 0; head < change.kv_heads.size(); ++head) {
    change.kv_heads[head] = head % 2 == first ? 1 : 0;
  }
  return change;
}

std::vector<Change> changes_of(const Problem& problem) {
  std::vector<Change> changes{hidden_of_all(problem)};
  for (const double part : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    changes.push_back(hidden_of_one(problem, part));
  }
  if (problem.sequences.size() > 1) {
    changes.push_back(every_other_sequence(problem, 0));
    changes.push_back(every_other_sequence(problem, 1));
  }
  if (problem.kv_heads > 1) {
    changes.push_back(every_other_head(problem, 0));
    changes.push_back(every_other_head(problem, 1));
  }
  const auto idle = std::remove_if(changes.begin(), changes.end(),
                                   [](const Change& change) { return !changes_something(change); });
  changes.erase(idle, changes.end());
  return changes;
}

/// Large, so that a leak of any weight shows, but far from overflow: |q| k sqrt(d) stays finite in
/// an fp16 accumulator, and so does dO V K.
double large(Dtype dtype) {
  return dtype == Dtype::f16 ? 0x1p5 : 0x1p13;
}

/// A sign that follows no pattern of tiles.
double sign_of(Index row, std::size_t channel) {
  auto mix = (static_cast<std::uint64_t>(row) << 20U | channel) * 0x9E3779B97F4A7C15U;
  mix ^= mix >> 29U;
  return (mix * 0xBF58476D1CE4E5B9U) >> 63U != 0 ? 1 : -1;
}

void make_large(const Problem& problem, Tensor& tensor, RowPlace place, double size) {
  std::vector<double> row = read_row(problem, tensor, place);
  for (std::size_t c = 0; c < row.size(); ++c) row[c] = size * sign_of(place.row, c);
  write_row(problem, tensor, place, row);
}

void negate(const Problem& problem, Tensor& tensor, RowPlace place) {
  std::vector<double> row = read_row(problem, tensor, place);
  for (double& x : row) x = -x;
  write_row(problem, tensor, place, row);
}

bool is_changed(const Change& change, const Problem& problem, TensorName name, RowPlace place) {
  const bool key = has_key_rows(name);
  const Index group = key ? 1 : problem.query_heads / problem.kv_heads;
  const auto s = static_cast<std::size_t>(place.sequence);
  const Flags& rows = key ? change.keys[s] : change.queries[s];
  return change.kv_heads[static_cast<std::size_t>(place.head / group)] != 0 &&
         rows[static_cast<std::size_t>(place.row)] != 0;
}

void apply(const Change& change, const Problem& problem, TensorSet& inputs) {
  for (auto& [name, tensor] : inputs) {
    for_each_place(problem, name, [&, name = name, &tensor = tensor](RowPlace place) {
      if (!is_changed(change, problem, name, place)) return;
      if (has_key_rows(name)) {
        make_large(problem, tensor, place, large(problem.dtype));
      } else {
        negate(problem, tensor, place);
      }
    });
  }
}

/// Which queries and keys a change may reach in the KV heads that it touches: a query that is
/// changed or sees a changed key; a key that is changed or seen by such a query.
struct Affected {
  std::vector<Flags> keys;
  std::vector<Flags> queries;
};

Affected reached_by(const Change& change, const Problem& problem) {
  Affected affected{change.keys, change.queries};
  for (std::size_t s = 0; s < problem.sequences.size(); ++s) {
    const Sequence& sequence = problem.sequences[s];
    for (Index query = 0; query < sequence.query_length; ++query) {
      const KeyRange seen = visible_keys(problem.mask, sequence, query);
      const auto first = change.keys[s].begin() + seen.begin;
      const auto last = change.keys[s].begin() + std::max(seen.begin, seen.end);
      char& reached = affected.queries[s][static_cast<std::size_t>(query)];
      if (std::find(first, last, 1) != last) reached = 1;
      if (reached == 0) continue;
      std::fill(affected.keys[s].begin() + seen.begin,
                affected.keys[s].begin() + std::max(seen.begin, seen.end), 1);
    }
  }
  return affected;
}

/// Whether an output row is out of the change's reach.
bool must_stay(const Change& change, const Affected& affected, const Problem& problem,
               TensorName name, RowPlace place) {
  const bool key = has_key_rows(name);
  const Index group = key ? 1 : problem.query_heads / problem.kv_heads;
  if (change.kv_heads[static_cast<std::size_t>(place.head / group)] == 0) return true;
  const auto s = static_cast<std::size_t>(place.sequence);
  const Flags& rows = key ? affected.keys[s] : affected.queries[s];
  return rows[static_cast<std::size_t>(place.row)] == 0;
}

/// dK and dV of keys that nobody sees, dQ and O of queries that see none: exactly 0.
void find_nonzero(const Outcome& outcome, std::vector<Finding>& findings) {
  const Problem& problem = outcome.observation->c.problem;
  const std::vector<Reach> reach = reach_of(problem);
  for (const TensorName name : given_outputs(outcome)) {
    if (name == TensorName::lse) continue;
    Difference leak;
    const Tensor& tensor = outcome.observation->outputs.at(name).tensor;
    for_each_place(problem, name, [&](RowPlace place) {
      const auto& terms = terms_of_rows(reach[static_cast<std::size_t>(place.sequence)], name);
      if (terms[static_cast<std::size_t>(place.row)] != 0) return;
      ++leak.rows;
      const std::vector<double> row = read_row(problem, tensor, place);
      const auto found = std::find_if(row.begin(), row.end(), [](double x) { return !(x == 0); });
      if (found == row.end() || leak.unequal++ != 0) return;
      const Index element = first_element(problem, name, place) + (found - row.begin());
      leak.first = {.tensor = std::string(to_string(name)),
                    .place = place_of(problem, name, element),
                    .got = *found};
    });
    if (leak.unequal == 0) continue;
    findings.push_back(difference_finding(
        "probe.hidden_change.zero", FailClass::contract,
        outcome.trial->label + ": rows to which no visible pair contributes are not exactly 0",
        leak));
  }
}

/// Returns how many rows had to stay as they were.
Index compare(const Yardstick& base, const Change& change, const Outcome& outcome,
              std::vector<Finding>& findings) {
  const Problem& problem = outcome.observation->c.problem;
  const Affected affected = reached_by(change, problem);
  Index rows = 0;
  for (const TensorName name : given_outputs(outcome)) {
    const Difference difference = base.compare(name, outcome, {}, [&](RowPlace place) {
      return must_stay(change, affected, problem, name, place);
    });
    rows += difference.rows;
    if (base.equal(name, difference)) continue;
    findings.push_back(difference_finding(
        "probe.hidden_change", FailClass::contract,
        "large numbers in " + change.label + " move rows that they may not reach", difference));
  }
  return rows;
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all{base_trial(c)};
  if (wants_repetition(c)) all.push_back(repetition_trial(c));
  for (const Change& change : changes_of(c.problem)) {
    all.push_back({.label = change.label,
                   .c = c,
                   .edit = [change](const Problem& problem,
                                    TensorSet& inputs) { apply(change, problem, inputs); },
                   .oracle = false});
  }
  all.push_back(control_trial(c));
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  Yardstick base(outcomes[0]);
  if (wants_repetition(c)) base.allow_noise_seen_in(outcomes[1]);
  std::vector<Finding> findings;
  find_nonzero(outcomes[0], findings);
  Index rows = 0;
  for (const Change& change : changes_of(c.problem)) {
    const Outcome* outcome = answered(outcomes, change.label);
    if (outcome == nullptr) continue;
    rows += compare(base, change, *outcome, findings);
    find_nonzero(*outcome, findings);
  }
  std::string vacuous = why_control_failed(base, outcomes);
  if (rows == 0) vacuous = "every query sees every key of the only sequence and KV head";
  return judgement_of(std::move(findings), vacuous);
}

}  // namespace fathom::hidden_change_probe
