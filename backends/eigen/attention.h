// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"
#include "harness/worker/backend.h"

namespace fathom::eigen {

// Dense attention with Eigen: stored numbers are upcast to fp32 (fp64 in an f64 Problem),
// everything is computed there, and each output is rounded once. Query rows come in tiles, so that
// memory grows with tile x keys, not with queries x keys. One thread, no atomics: the same bits in
// every run.

/// O = softmax(scale Q K^T) V over the visible keys of each row, and the LSE if it is among the
/// outputs. Rows that see no key: O = 0, LSE = -infinity.
void forward(const Problem& problem, const worker::InputViews& inputs,
             const worker::OutputViews& outputs);

/// dQ, dK, dV for the cotangent dout of O and, if the Problem gives one, dlse of the LSE. Computes
/// the weights again from Q and K; it does not need what forward() wrote.
void backward(const Problem& problem, const worker::InputViews& inputs,
              const worker::OutputViews& outputs);

}  // namespace fathom::eigen
