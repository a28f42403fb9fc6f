// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/kernel/mask.h"

#include "backends/hip/attention.h"
#include "backends/hip/tests/judged.h"

#include <gtest/gtest.h>

#include <random>

namespace fathom::hip {
namespace {

/// The definition, term by term.
bool sees(const SequenceMask& mask, int query, int key) {
  const int own = query + mask.keys - mask.queries;
  const MaskRule& rule = mask.rule;
  if (rule.left != unlimited && key < own - rule.left) return false;
  if (rule.right != unlimited && key > own + rule.right) return false;
  if (rule.top_left && key > query) return false;
  if (rule.prefix_lm && !(own < mask.prefix ? key < mask.prefix : key <= own)) return false;
  return true;
}

SequenceMask random_mask(std::mt19937& random) {
  const auto up_to = [&random](int most) {
    return std::uniform_int_distribution<int>(0, most)(random);
  };
  SequenceMask mask{.queries = up_to(90), .keys = up_to(90), .prefix = 0, .rule = {}};
  if (up_to(2) == 0) mask.keys = mask.queries;
  mask.prefix = up_to(mask.keys);
  if (up_to(1) == 0) mask.rule.left = up_to(30);
  if (up_to(1) == 0) mask.rule.right = up_to(2) == 0 ? 0 : up_to(30);
  mask.rule.top_left = up_to(3) == 0;
  mask.rule.prefix_lm = up_to(1) == 0;
  return mask;
}

std::string to_text(const SequenceMask& mask) {
  return std::to_string(mask.queries) + "x" + std::to_string(mask.keys) + "p" +
         std::to_string(mask.prefix) + " left " + std::to_string(mask.rule.left) + " right " +
         std::to_string(mask.rule.right) + (mask.rule.top_left ? " top_left" : "") +
         (mask.rule.prefix_lm ? " prefix_lm" : "");
}

TEST(MaskTest, IntervalsAreTheDefinitionBothWays) {
  std::mt19937 random(1);
  for (int i = 0; i < 4000; ++i) {
    const SequenceMask mask = random_mask(random);
    for (int query = 0; query < mask.queries; ++query) {
      const Interval keys = mask.keys_of(query);
      for (int key = 0; key < mask.keys; ++key) {
        const bool seen = sees(mask, query, key);
        ASSERT_EQ(keys.begin <= key && key < keys.end, seen) << to_text(mask);
        const Interval queries = mask.queries_of(key);
        ASSERT_EQ(queries.begin <= query && query < queries.end, seen) << to_text(mask);
      }
    }
  }
}

struct Count {
  int seen = 0;
  int all = 0;
};

template <typename Sees>
Count count_pairs(Interval rows, Interval columns, int rows_end, int columns_end, Sees pair) {
  Count count;
  for (int row = rows.begin; row < std::min(rows.end, rows_end); ++row) {
    for (int column = columns.begin; column < columns.end; ++column) {
      ++count.all;
      count.seen += column < columns_end && pair(row, column) ? 1 : 0;
    }
  }
  return count;
}

void expect_exact(const TileRange& tiles, int tile, const Count& count, const std::string& text) {
  const bool visited = tiles.visited.begin <= tile && tile < tiles.visited.end;
  const bool full = visited && tiles.full.begin <= tile && tile < tiles.full.end;
  ASSERT_EQ(visited, count.seen > 0) << text << " tile " << tile;
  ASSERT_EQ(full, visited && count.seen == count.all) << text << " tile " << tile;
}

TEST(MaskTest, VisitsTheTilesThatHoldAPairAndNoOther) {
  std::mt19937 random(2);
  for (int i = 0; i < 4000; ++i) {
    const SequenceMask mask = random_mask(random);
    const int rows = 16;
    const int inner = i % 2 == 0 ? 8 : 16;
    for (int first = 0; first < mask.queries; first += rows) {
      const TileRange tiles = mask.key_tiles({first, std::min(first + rows, mask.queries)}, inner);
      for (int tile = 0; tile * inner < mask.keys + inner; ++tile) {
        const Count count =
            count_pairs({first, first + rows}, {tile * inner, (tile + 1) * inner}, mask.queries,
                        mask.keys, [&](int q, int k) { return sees(mask, q, k); });
        expect_exact(tiles, tile, count, to_text(mask));
      }
    }
    for (int first = 0; first < mask.keys; first += rows) {
      const TileRange tiles = mask.query_tiles({first, std::min(first + rows, mask.keys)}, inner);
      for (int tile = 0; tile * inner < mask.queries + inner; ++tile) {
        const Count count =
            count_pairs({first, first + rows}, {tile * inner, (tile + 1) * inner}, mask.keys,
                        mask.queries, [&](int k, int q) { return sees(mask, q, k); });
        expect_exact(tiles, tile, count, to_text(mask));
      }
    }
  }
}

MaskRule rule_of(const Problem& problem) {
  fathom_hip_attention shape = shape_of(problem);
  const int prefix = 0;
  if (has<PrefixLm>(problem.mask)) shape.prefix_lens = &prefix;
  return mask_rule(shape);
}

/// Tiles of rows x inner that hold a pair, over all heads and sequences.
std::int64_t tiles_needed(const Problem& problem, const Geometry& geometry, bool by_keys) {
  const int rows = geometry.rows;
  const int inner = geometry.inner;
  std::int64_t needed = 0;
  for (const Sequence& s : problem.sequences) {
    const SequenceMask mask{static_cast<int>(s.query_length), static_cast<int>(s.key_length),
                            static_cast<int>(s.prefix_length), rule_of(problem)};
    const int outer_end = by_keys ? mask.keys : mask.queries;
    const int inner_end = by_keys ? mask.queries : mask.keys;
    for (int first = 0; first < outer_end; first += rows) {
      for (int tile = 0; tile < inner_end; tile += inner) {
        const Count count = count_pairs(
            {first, first + rows}, {tile, tile + inner}, outer_end, inner_end,
            [&](int a, int b) { return by_keys ? sees(mask, b, a) : sees(mask, a, b); });
        needed += count.seen > 0 ? 1 : 0;
      }
    }
  }
  return needed * problem.query_heads;
}

std::string random_problem(std::mt19937& random) {
  const auto up_to = [&random](int most) {
    return std::to_string(std::uniform_int_distribution<int>(0, most)(random));
  };
  const std::vector<std::string> masks{"full",
                                       "causal(bottom_right)",
                                       "causal(top_left)",
                                       "prefix_lm",
                                       "window(" + up_to(90) + "," + up_to(90) + ")",
                                       "window(-1," + up_to(60) + ")",
                                       "prefix_lm&window(" + up_to(90) + ",-1)",
                                       "causal(bottom_right)&window(" + up_to(70) + ",0)"};
  const std::string mask = masks[random() % masks.size()];
  const bool prefix = mask.find("prefix") != std::string::npos;
  std::string sequences;
  for (unsigned i = random() % 3 + 1; i > 0; --i) {
    const std::string queries = up_to(150);
    const int keys = std::stoi(up_to(200));
    sequences += queries + "x" + std::to_string(keys) + (prefix ? "p" + up_to(keys) : "");
    if (i > 1) sequences += ",";
  }
  return "dir=fwd+bwd dtype=bf16 layout=thd hq=1 hkv=1 d=64 dv=64 mask=" + mask +
         " seqs=" + sequences + " fill=normal seed=1";
}

TEST(MaskTest, KernelsVisitTheExactNumberOfTilesOfAThousandProblems) {
  std::mt19937 random(3);
  for (int i = 0; i < 1000; ++i) {
    const std::string text = random_problem(random);
    const Target target = i % 2 == 0 ? Target::amd : Target::nvidia;
    const auto& kernels = *find_kernels(kernels_of(target), ElementType::bf16, 64);
    const std::int64_t before = host::tiles_computed;
    Answer answer;
    run(text, target, {}, Way::native, answer);
    ASSERT_EQ(answer.alarms.summary(), "") << text;
    const Problem& problem = answer.c.problem;
    ASSERT_EQ(host::tiles_computed - before,
              tiles_needed(problem, kernels[Kernel::forward].geometry, false) +
                  tiles_needed(problem, kernels[Kernel::key_gradient].geometry, true) +
                  tiles_needed(problem, kernels[Kernel::query_gradient].geometry, false))
        << text;
  }
}

}  // namespace
}  // namespace fathom::hip
