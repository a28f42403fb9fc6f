// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/oracle.h"
#include "reference/kernels.h"

namespace fathom::reference {

/// The oracle's answer, computed with one build of the kernels. Rows of queries, then blocks of
/// keys, are independent tasks that sum in an order of their own, so the bits do not depend on
/// `threads`. Inputs must be finite. Memory: the tensors in fp64, and about 25 MiB a thread.
OracleAnswer compute_answer(const Problem& problem, const Arithmetic& arithmetic,
                            const TensorSet& inputs, const Kernels& kernels, int threads);

}  // namespace fathom::reference
