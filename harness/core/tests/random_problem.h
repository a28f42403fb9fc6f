// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/case.h"
#include "harness/core/mask.h"
#include "harness/core/problem.h"

#include <rapidcheck.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <vector>

// Random core values for property tests: every field of the table takes every kind of value.

namespace fathom {

inline void showValue(const Problem& problem, std::ostream& out) {
  out << to_string(problem);
}
inline void showValue(const Case& c, std::ostream& out) {
  out << to_string(c);
}
inline void showValue(const Mask& mask, std::ostream& out) {
  out << to_string(mask);
}

namespace random_value {

/// low <= n <= high.
inline Index index(Index low, Index high) {
  return *rc::gen::inRange<Index>(low, high + 1);
}

inline bool coin() {
  return index(0, 1) == 1;
}

template <typename Enum>
Enum choice(Index count) {
  return static_cast<Enum>(index(0, count - 1));
}

inline MaskTerm mask_term() {
  switch (index(0, 3)) {
    case 0: return Causal{choice<Corner>(2)};
    case 1: return Window{index(-1, 9), index(-1, 9)};
    case 2: return PrefixLm{};
    default: break;
  }
  Document document{{index(1, 9)}};
  while (coin()) document.lengths.push_back(index(1, 9));
  return document;
}

inline Mask mask() {
  Mask mask;
  for (Index left = index(0, 3); left > 0; --left) mask.terms.push_back(mask_term());
  return mask;
}

/// Up to 5 runs of up to 3 equal sequences; one length only in a dense layout.
inline std::vector<Sequence> sequences(const Problem& problem) {
  std::vector<Sequence> list;
  Sequence s;
  for (Index runs = index(1, 5); runs > 0; --runs) {
    if (problem.layout == Layout::thd || list.empty()) {
      s.query_length = index(0, 12);
      s.key_length = coin() ? s.query_length : index(0, 12);
    }
    s.prefix_length = has<PrefixLm>(problem.mask) ? index(0, s.key_length) : 0;
    list.insert(list.end(), static_cast<std::size_t>(index(1, 3)), s);
  }
  return list;
}

inline Problem problem() {
  Problem p;
  p.direction = choice<Direction>(2);
  p.dtype = choice<Dtype>(static_cast<Index>(dtypes.size()));
  p.layout = choice<Layout>(3);
  p.kv_heads = index(1, 4);
  p.query_heads = p.kv_heads * index(1, 4);
  p.head_dim = index(1, 9);
  p.value_dim = coin() ? p.head_dim : index(1, 9);
  p.mask = mask();
  p.sequences = sequences(p);
  if (coin()) p.softmax_scale = static_cast<double>(index(-1000, 1000)) / 7;
  p.lse = choice<LseRequest>(3);
  p.lse_cotangent = has_backward(p) && coin();
  p.deterministic = coin();
  return p;
}

inline Case any_case() {
  Case c;
  c.problem = problem();
  c.fill = choice<Fill>(static_cast<Index>(fills.size()));
  c.seed =
      coin() ? *rc::gen::arbitrary<std::uint64_t>() : std::numeric_limits<std::uint64_t>::max();
  return c;
}

inline rc::Gen<Mask> masks() {
  return rc::gen::exec(mask);
}
inline rc::Gen<Problem> problems() {
  return rc::gen::exec(problem);
}
inline rc::Gen<Case> cases() {
  return rc::gen::exec(any_case);
}

}  // namespace random_value
}  // namespace fathom
