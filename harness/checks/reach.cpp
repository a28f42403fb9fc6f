// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/reach.h"

#include "harness/core/visible.h"

#include <algorithm>

namespace fathom {
namespace {

Index largest(const std::vector<Index>& counts) {
  return counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
}

}  // namespace

Reach reach_of(const Mask& mask, const Sequence& sequence) {
  Reach reach;
  reach.keys_of_query.resize(static_cast<std::size_t>(sequence.query_length));
  // Every row is an interval, so queries per key are the running sum of interval ends.
  std::vector<Index> change(static_cast<std::size_t>(sequence.key_length) + 1);
  for (Index query = 0; query < sequence.query_length; ++query) {
    const KeyRange range = visible_keys(mask, sequence, query);
    reach.keys_of_query[static_cast<std::size_t>(query)] = range.size();
    if (range.size() == 0) continue;
    ++change[static_cast<std::size_t>(range.begin)];
    --change[static_cast<std::size_t>(range.end)];
  }
  reach.queries_of_key.resize(static_cast<std::size_t>(sequence.key_length));
  Index running = 0;
  for (std::size_t key = 0; key < reach.queries_of_key.size(); ++key) {
    running += change[key];
    reach.queries_of_key[key] = running;
  }
  reach.longest_query = largest(reach.keys_of_query);
  reach.longest_key = largest(reach.queries_of_key);
  return reach;
}

std::vector<Reach> reach_of(const Problem& problem) {
  std::vector<Reach> all;
  all.reserve(problem.sequences.size());
  for (const Sequence& sequence : problem.sequences) {
    const bool repeats = !all.empty() && sequence == problem.sequences[all.size() - 1];
    all.push_back(repeats ? all.back() : reach_of(problem.mask, sequence));
  }
  return all;
}

bool has_key_rows(TensorName name) {
  return name == TensorName::k || name == TensorName::v || name == TensorName::dk ||
         name == TensorName::dv;
}

const std::vector<Index>& terms_of_rows(const Reach& reach, TensorName name) {
  return has_key_rows(name) ? reach.queries_of_key : reach.keys_of_query;
}

Index contraction_length(const Reach& reach, TensorName name) {
  return has_key_rows(name) ? reach.longest_key : reach.longest_query;
}

}  // namespace fathom
