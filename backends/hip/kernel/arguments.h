// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/platform.h"

#include <cstdint>

namespace fathom::hip {

/// A tensor of rows of channels, and where the row of (sequence, token, head) begins; tokens are
/// counted over all sequences. Packed and dense layouts differ in their strides alone.
template <typename T>
struct Rows {
  Global<T> memory;
  int64_t token_stride = 0;
  int64_t head_stride = 0;
  int64_t sequence_stride = 0;  ///< What the token stride does not already count.

  [[nodiscard]] FATHOM_DEVICE int64_t at(int sequence, int token, int head) const {
    return token * token_stride + head * head_stride + sequence * sequence_stride;
  }
};

/// The packed sequences: sequence b holds the query tokens cu_q[b] and following. Entries of the
/// arrays beyond `count` (+ 1) are never read.
struct Sequences {
  int count = 0;
  int query_tokens = 0;    ///< cu_q[count]
  int key_tokens = 0;      ///< cu_k[count]
  Global<const int> cu_q;  ///< count + 1 numbers.
  Global<const int> cu_k;
  Global<const int> used_q;  ///< Queries that take part; null: all. Rows of others stay untouched.
  Global<const int> used_k;
  Global<const int> prefix;  ///< Of prefix_lm; null: 0.
};

/// A window side or a length that is none.
inline constexpr int unlimited = 1 << 29;

/// Any conjunction of causal, window and prefix_lm is one interval of keys per query, whose ends
/// never go back: numbers for the kernel, no kinds of kernels.
struct MaskRule {
  int left = unlimited;   ///< Keys that a query sees to the left of its own, at least 0.
  int right = unlimited;  ///< To the right; bottom-right causal is 0.
  bool top_left = false;
  bool prefix_lm = false;
};

/// Everything a launch needs; forward and the three backward kernels read what they use.
struct Arguments {
  Rows<const uint16_t> q, k, v, dout;
  Rows<uint16_t> o, dq, dk, dv;
  Rows<float> lse;         ///< Natural logarithm; null if nobody wants it and there is no backward.
  Rows<const float> dlse;  ///< Null: no cotangent of the LSE.
  Rows<float> row_log2;    ///< Workspace (query tokens, heads): LSE in base 2, or +infinity.
  Rows<float> row_delta;   ///< Workspace: sum of dO O, less dLSE.
  Sequences sequences;
  MaskRule mask;
  int query_heads = 1;
  int group = 1;    ///< Query heads of one KV head.
  float scale = 1;  ///< Above 0.
};

}  // namespace fathom::hip
