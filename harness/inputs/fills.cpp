// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/fills.h"

#include "harness/inputs/normal.h"
#include "harness/inputs/philox.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace fathom {
namespace {

using Channels = std::span<double>;

/// The row's place in packed (token, head) order: the layout does not enter it.
std::uint64_t place(const Row& r) {
  return static_cast<std::uint64_t>((r.tokens_before + r.row) * r.heads + r.head);
}

std::uint32_t choice(const Row& r) {
  std::uint32_t word = 0;
  philox_words(choice_key(r.seed), place(r), {&word, 1});
  return word;
}

void normal(const Row& r, Channels x) {
  fill_normal(stream_key(r.seed, r.tensor), place(r) * x.size(), x);
}

void uniform(const Row& r, Channels x) {
  fill_uniform(stream_key(r.seed, r.tensor), place(r) * x.size(), x);
}

void scale(double factor, Channels x) {
  for (double& value : x) value *= factor;
}

void uniform11(const Row& r, Channels x) {
  uniform(r, x);
  for (double& value : x) value = 2.0 * value - 1.0;
}

/// Every 32nd channel is an outlier: ceil(d / 32) of them, the same in Q and K.
void outlier(double factor, const Row& r, Channels x) {
  normal(r, x);
  for (std::size_t c = 0; c < x.size(); c += 32) x[c] *= factor;
}

/// The row is one of the first max(1, n_k / 64) rows of its sequence and head, drawn at random.
void dupkeys(const Row& r, Channels x) {
  const Index keys = r.problem.sequences[static_cast<std::size_t>(r.sequence)].key_length;
  const auto originals = static_cast<std::uint64_t>(std::max<Index>(1, keys / 64));
  Row original = r;
  original.row = static_cast<Index>((choice(r) * originals) >> 32);
  normal(original, x);
}

/// Key 0 is 3 sqrt(N) times the mean of the N query rows that see this KV head (those of all query
/// heads of its group), summed head by head; without queries it stays N(0,1).
void sink_key(const Row& r, Channels x) {
  normal(r, x);
  const Problem& p = r.problem;
  const Index queries = p.sequences[static_cast<std::size_t>(r.sequence)].query_length;
  if (r.row != 0 || queries == 0) return;
  const Index group = p.query_heads / p.kv_heads;
  Row query{p, r.seed, TensorName::q, 0, p.query_heads, r.sequence};
  for (Index s = 0; s < r.sequence; ++s) {
    query.tokens_before += p.sequences[static_cast<std::size_t>(s)].query_length;
  }
  std::vector<double> values(x.size());
  std::fill(x.begin(), x.end(), 0.0);
  for (query.head = r.head * group; query.head < (r.head + 1) * group; ++query.head) {
    for (query.row = 0; query.row < queries; ++query.row) {
      normal(query, values);
      for (std::size_t c = 0; c < x.size(); ++c) x[c] += values[c];
    }
  }
  const auto rows = static_cast<double>(queries * group);
  for (double& value : x) value = 3.0 * std::sqrt(rows) * (value / rows);
}

void sink_value(const Row& r, Channels x) {
  normal(r, x);
  if (r.row == 0) scale(0.01, x);
}

void zero(const Row&, Channels x) {
  std::fill(x.begin(), x.end(), 0.0);
}

/// Multiples of 1/8 up to 31/8: exact in every dtype, and so are sums of their products in fp32.
void grid(const Row& r, Channels x) {
  normal(r, x);
  for (double& value : x) value = std::clamp(std::floor(value * 8.0 + 0.5) / 8.0, -3.875, 3.875);
}

// Scores on exact levels. Channel 0 of Q is 1 and channel 0 of K is the level over the softmax
// scale. The other channels come in pairs, (a, a) in Q and (b, -b) in K, on a grid whose sums are
// exact in fp32: they cancel to exactly 0 in any order of summation, yet fill dQ and dK with random
// numbers. A last channel without a partner is 0 in K.

void level_query(const Row& r, Channels x) {
  grid(r, x);
  x[0] = 1.0;
  for (std::size_t c = 1; c + 1 < x.size(); c += 2) x[c + 1] = x[c];
}

void level_key(double level, const Row& r, Channels x) {
  grid(r, x);
  const double softmax = softmax_scale(r.problem);
  x[0] = softmax == 0 ? 0.0 : level / softmax;
  for (std::size_t c = 1; c + 1 < x.size(); c += 2) x[c + 1] = -x[c];
  if (x.size() % 2 == 0) x.back() = 0.0;
}

void const_p_key(const Row& r, Channels x) {
  level_key(r.row == 0 ? 0.37 : 0.0, r, x);
}

/// A quarter of the keys are on the upper level: each of them has weight 1 relative to the maximum.
void p_one_key(const Row& r, Channels x) {
  level_key(choice(r) < (1U << 30) ? 4.0 : 0.0, r, x);
}

void half_normal(const Row& r, Channels x) {
  normal(r, x);
  for (double& value : x) value = std::abs(value);
}

void below_minus_one(const Row& r, Channels x) {
  half_normal(r, x);
  for (double& value : x) value = -value - 1.0;
}

void peaked(const Row& r, Channels x) {
  normal(r, x), scale(4.0, x);
}
void flat(const Row& r, Channels x) {
  normal(r, x), scale(0.05, x);
}
void tiny(const Row& r, Channels x) {
  normal(r, x), scale(1e-4, x);
}
void outlier_6(const Row& r, Channels x) {
  outlier(6.0, r, x);
}
void outlier_20(const Row& r, Channels x) {
  outlier(20.0, r, x);
}
void plus_3(const Row& r, Channels x) {
  normal(r, x);
  for (double& value : x) value += 3.0;
}

struct Recipe {
  Fill fill;
  RowMaker q, k, v;
};
constexpr std::array recipes{
    Recipe{Fill::normal, normal, normal, normal},
    Recipe{Fill::peaked, peaked, normal, normal},
    Recipe{Fill::flat, flat, normal, normal},
    Recipe{Fill::uniform01, uniform, uniform, uniform},
    Recipe{Fill::uniform11, uniform11, uniform11, uniform11},
    Recipe{Fill::outlier, outlier_6, outlier_6, outlier_20},
    Recipe{Fill::vmean, normal, normal, plus_3},
    Recipe{Fill::dupkeys, normal, dupkeys, normal},
    Recipe{Fill::tiny, normal, normal, tiny},
    Recipe{Fill::sink_token, normal, sink_key, sink_value},
    Recipe{Fill::q_zero, zero, normal, normal},
    Recipe{Fill::const_p, level_query, const_p_key, half_normal},
    Recipe{Fill::p_one, level_query, p_one_key, below_minus_one},
};
static_assert(recipes.size() == fills.size());

}  // namespace

RowMaker row_maker(Fill fill, TensorName tensor) {
  const Recipe& recipe = recipes[static_cast<std::size_t>(fill)];
  switch (tensor) {
    case TensorName::q: return recipe.q;
    case TensorName::k: return recipe.k;
    case TensorName::v: return recipe.v;
    default: return normal;
  }
}

}  // namespace fathom
