// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/call.h"
#include "backends/hip/memory.h"
#include "harness/core/problem.h"
#include "harness/core/tensor.h"

#include <map>
#include <vector>

namespace fathom::hip {

/// A Problem as the C interface has it, all pointers null.
fathom_hip_attention shape_of(const Problem& problem);

/// Where the tensors of a Problem lie.
using TensorPlaces = std::map<TensorName, void*>;

/// One Problem bound to its tensors, with the arrays that kernels read beside them.
class Attention {
 public:
  /// All of it in `memory`, which must outlive this.
  Attention(const Problem& problem, const TensorPlaces& tensors, Memory& memory);

  /// In one pass.
  void forward(const Launcher& launcher) const;
  /// PrefixLM as one bidirectional launch over the prefixes and one causal one over the rest.
  void forward_in_two_passes(const Launcher& launcher) const;
  /// Needs O and LSE of a forward.
  void backward(const Launcher& launcher) const;

  /// What the passes need beside the tensors.
  [[nodiscard]] std::size_t workspace_bytes() const;

 private:
  const int* keep(const std::vector<int>& numbers);
  void bind_sequences(const Problem& problem);
  void bind_two_passes(const Problem& problem);

  Memory& memory_;
  std::vector<Buffer> arrays_;
  std::vector<Buffer> workspace_;
  fathom_hip_attention whole_;
  fathom_hip_attention prefix_;
  fathom_hip_attention response_;
};

}  // namespace fathom::hip
