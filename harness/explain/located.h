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
Explanation locate(const Problem& problem, const TensorErrors& errors);

}  // namespace fathom
