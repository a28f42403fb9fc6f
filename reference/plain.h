// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/oracle.h"
#include "harness/core/tensor.h"
#include "reference/kernels.h"

#include <memory>

namespace fathom::reference {

/// Attention as a framework without a fused kernel computes it in the Problem's dtype (the `pt`
/// of FlashAttention's own tests): K' = scale K, S = Q K'^T, P = softmax S, O = P V, dP = dO V^T,
/// dS = P (dP - sum P dP), each step rounded; `scaled_both` shares the scale between Q and K. Null
/// in fp64, above 4 Mi scores in one head, or above 64 Mi in all.
std::shared_ptr<const PlainAnswer> compute_plain(const Problem& problem, const TensorSet& inputs,
                                                 PlainVariant variant, const Kernels& kernels,
                                                 int threads);

}  // namespace fathom::reference
