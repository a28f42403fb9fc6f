// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/explanation.h"
#include "harness/explain/residuals.h"

#include <optional>

namespace fathom {

/// Whether O, which is right, would be wrong if the sum of the softmax were as the LSE says: only
/// then is the LSE wrong alone. It shows errors of the sum far smaller than a narrow O does.
bool is_wrong_alone(const TensorErrors& o, const TensorErrors& lse);

/// The unit, sign or offset that nearly every row of the LSE is in.
std::optional<Explanation> lse_form(const TensorErrors& lse);

}  // namespace fathom
