// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/lowering.h"
#include "harness/core/tensor.h"

#include <ATen/core/Tensor.h>

namespace fathom::sdpa {

at::ScalarType scalar_type(Dtype dtype);

/// A tensor over the bytes of a view, sharing them; must not outlive them. Inputs are only read.
at::Tensor share(const TensorView& view);
at::Tensor share(const MutableTensorView& view);

/// Which rows of a tensor a call touches, and of what.
enum class Rows : std::uint8_t { queries, keys };

/// The part of q, k, v, o, dq, ... that a call is about, as a (B,H,S,D) view.
at::Tensor rows_of(const at::Tensor& whole, Layout layout, const Call& call, Rows rows);

/// The part of an LSE that a call is about, as a (B,H,S) view.
at::Tensor lse_rows_of(const at::Tensor& whole, Layout layout, const Call& call);

/// 0 where a query attends to a key, -infinity elsewhere: (B,1,Sq,Sk), or (1,1,Sq,Sk) if all
/// sequences of the call are alike. The row stride is a multiple of `align` elements.
at::Tensor additive_mask(const Problem& problem, const Call& call, Index align);

}  // namespace fathom::sdpa
