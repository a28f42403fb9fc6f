// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/case.h"
#include "harness/core/tensor.h"

namespace fathom {

/// The input tensors of a Case: a pure function of (seed, tensor, index) and the Fill, the same
/// bits in C++, in numpy and on any machine; rounded to storage. The index is the element's place
/// in packed (token, head, channel) order whatever the layout, so all layouts hold equal numbers.
/// dout and dlse are N(0,1) under every Fill.
TensorSet make_inputs(const Case& c);

}  // namespace fathom
