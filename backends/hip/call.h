// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/fathom_hip.h"
#include "backends/hip/launcher.h"

#include <optional>
#include <stdexcept>
#include <string>

namespace fathom::hip {

/// An attention that cannot be computed as it was asked for: what is wrong, and what would be
/// right.
class BadCall : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Why no kernel computes this, whatever its tensors are.
std::optional<std::string> why_no_kernel(const fathom_hip_attention& attention);
/// Why the lengths, which must be in host memory, are none.
std::optional<std::string> why_lengths_unfit(const fathom_hip_attention& attention);

/// The mask as the kernels take it.
MaskRule mask_rule(const fathom_hip_attention& attention);

std::size_t workspace_bytes(const fathom_hip_attention& attention);

/// Starts the kernels of a pass. Throws BadCall before anything is started.
void run_forward(const Launcher& launcher, const fathom_hip_attention& attention, void* stream);
void run_backward(const Launcher& launcher, const fathom_hip_attention& attention, void* workspace,
                  std::size_t workspace_bytes, void* stream);

}  // namespace fathom::hip
