// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"

namespace fathom {

/// Useful work and compulsory traffic, from the exact visible-pair count (never n^2/2).
struct Cost {
  Index visible_pairs = 0;    ///< (query, key) pairs of one head, over all sequences.
  double flops_forward = 0;   ///< 2 pairs (d + dv) Hq.
  double flops_backward = 0;  ///< 2 pairs (3 d + 2 dv) Hq: S, dP, dV, dQ, dK.
  double bytes_forward = 0;   ///< Q + K + V + O + LSE, each KV head once.
  double bytes_backward = 0;  ///< Reads Q, K, V, O, dO, LSE; writes dQ, dK, dV.
  bool operator==(const Cost&) const = default;
};

Index visible_pairs(const Problem& problem);
Index empty_rows(const Problem& problem);  ///< Query rows, of one head, that see no key.
Cost cost_of(const Problem& problem);

}  // namespace fathom
