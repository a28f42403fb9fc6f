// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/singled_out.h"

#include "harness/core/visible.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace fathom {
namespace {

/// The live rows of one sequence, inside the box and outside it: 1 for each of them, else 0.
std::array<std::vector<Index>, 2> rows_of_sides(const TensorErrors& errors, const Scope& box,
                                                Index sequence, Index rows) {
  std::array<std::vector<Index>, 2> sides;
  for (auto& side : sides) side.resize(static_cast<std::size_t>(rows));
  for (const RowError& row : errors.rows) {
    if (row.sequence != sequence || row.head != box.heads.front() || !row.live) continue;
    const bool inside = box.first_row <= row.row && row.row <= box.last_row;
    sides[inside ? 0 : 1][static_cast<std::size_t>(row.row)] = 1;
  }
  return sides;
}

/// values[i] becomes the sum of all before it; one more at the end.
std::vector<Index> running_sums(const std::vector<Index>& values) {
  std::vector<Index> sums{0};
  for (const Index value : values) sums.push_back(sums.back() + value);
  return sums;
}

/// How many rows of one side see each term: keys of queries, or queries of keys.
std::vector<Index> seers_of_terms(const std::vector<Index>& side,
                                  const std::vector<KeyRange>& keys_of_queries, Index key_length,
                                  bool rows_are_keys) {
  std::vector<Index> seers;
  if (rows_are_keys) {
    const std::vector<Index> sums = running_sums(side);
    for (const KeyRange& keys : keys_of_queries) {
      const bool any = keys.size() > 0;
      seers.push_back(any ? sums[static_cast<std::size_t>(keys.end)] -
                                sums[static_cast<std::size_t>(keys.begin)]
                          : 0);
    }
    return seers;
  }
  std::vector<Index> steps(static_cast<std::size_t>(key_length) + 1);
  for (std::size_t query = 0; query < side.size(); ++query) {
    const KeyRange& keys = keys_of_queries[query];
    if (side[query] == 0 || keys.size() == 0) continue;
    ++steps[static_cast<std::size_t>(keys.begin)];
    --steps[static_cast<std::size_t>(keys.end)];
  }
  seers = running_sums(steps);
  return {seers.begin() + 1, seers.end() - 1};
}

Index total(const std::vector<Index>& side) {
  return running_sums(side).back();
}

}  // namespace

std::optional<std::string> singled_out(const Problem& problem, const TensorErrors& errors,
                                       const Scope& box) {
  const bool rows_are_keys = has_key_rows(errors.name);
  for (const Index s : box.sequences) {
    const Sequence& lengths = problem.sequences[static_cast<std::size_t>(s)];
    std::vector<KeyRange> keys_of_queries;
    for (Index query = 0; query < lengths.query_length; ++query) {
      keys_of_queries.push_back(visible_keys(problem.mask, lengths, query));
    }
    const auto sides =
        rows_of_sides(errors, box, s, rows_are_keys ? lengths.key_length : lengths.query_length);
    const Index all_inside = total(sides[0]);
    const Index all_outside = total(sides[1]);
    if (all_inside == 0 || all_outside == 0) continue;
    const auto seers = [&](int side) {
      return seers_of_terms(sides[static_cast<std::size_t>(side)], keys_of_queries,
                            lengths.key_length, rows_are_keys);
    };
    const std::vector<Index> inside = seers(0);
    const std::vector<Index> outside = seers(1);
    for (std::size_t term = 0; term < inside.size(); ++term) {
      const bool seen = inside[term] == all_inside && outside[term] == 0;
      const bool hidden = inside[term] == 0 && outside[term] == all_outside;
      if (!seen && !hidden) continue;
      return fmt::format("the rows that {} {} {}", seen ? "see" : "do not see",
                         rows_are_keys ? "query" : "key", term);
    }
  }
  return std::nullopt;
}

}  // namespace fathom
