// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/forward.h"

namespace fathom::hip {

// The backward pass without atomics: this kernel for what belongs to a query row, one for dK and dV
// by tiles of keys, one for dQ by tiles of queries. Every sum has one order, so that gradients have
// the same bits in every run.

/// One thread for each query token of a head: its LSE in base 2, and delta = sum of dO O - dLSE.
/// A row that sees nothing gets +infinity: all its weights are then 0 by themselves.
template <typename Element, int Dim, int Threads>
FATHOM_DEVICE void row_data(const Arguments& a, int thread) {
  const int token = block_x() * Threads + thread;
  if (token >= a.sequences.query_tokens) return;
  const int head = block_y();
  const int sequence = find_sequence(a.sequences.cu_q, a.sequences.count, token);
  const float lse = load_one(a.lse.memory, a.lse.at(sequence, token, head));
  float delta = 0;
  for (int chunk = 0; chunk < Dim / 8; ++chunk) {
    const Words<4> o = load_global(Global<const uint16_t>{a.o.memory.data, a.o.memory.size, "O"},
                                   a.o.at(sequence, token, head), 8 * chunk);
    const Words<4> dout = load_global(a.dout.memory, a.dout.at(sequence, token, head), 8 * chunk);
    FATHOM_UNROLL
    for (int i = 0; i < 4; ++i) {
      delta = fused(low_number<Element>(o[i]), low_number<Element>(dout[i]), delta);
      delta = fused(high_number<Element>(o[i]), high_number<Element>(dout[i]), delta);
    }
  }
  if (planted(Defect::delta_left_out)) delta = 0;
  if (a.dlse.memory.data != nullptr && !planted(Defect::lse_cotangent_left_out)) {
    delta -= load_one(a.dlse.memory, a.dlse.at(sequence, token, head));
  }
  store_one(a.row_log2.memory, a.row_log2.at(sequence, token, head),
            lse == -infinity ? infinity : lse * log2_e);
  store_one(a.row_delta.memory, a.row_delta.at(sequence, token, head), delta);
}

}  // namespace fathom::hip
