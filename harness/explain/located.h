// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/explanation.h"
#include "harness/explain/residuals.h"

namespace fathom {

/// `O`, `dQ`, `LSE`.
std::string_view title_of(TensorName name);

/// What can be said of wrong rows when nothing predicts them: which part of the tensor they are, if
/// that part has sharp borders; `everywhere` if the errors are small and evenly spread; else
/// `unclear`.
/// Whether every wrong row is zeros.
bool is_all_zero(const TensorErrors& errors);

/// Whether no number of the wrong rows stands out of the rounding of the right ones.
bool is_next_to_nothing(const TensorErrors& errors);

Explanation locate(const Problem& problem, const TensorErrors& errors);

}  // namespace fathom
