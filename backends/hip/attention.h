// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/host_kernels.h"
#include "harness/core/problem.h"
#include "harness/worker/backend.h"

#include <vector>

namespace fathom::hip {

/// The mask as the kernel takes it, and why it cannot take it; one of both.
std::optional<MaskRule> mask_rule(const Mask& mask);

/// One Problem bound to its tensors: the arrays that the kernels read beside them, and launches.
class Attention {
 public:
  Attention(const Problem& problem, const worker::InputViews& inputs,
            const worker::OutputViews& outputs, const HostKernels& kernels);

  /// In one pass.
  void forward(const host::Schedule& schedule, host::Alarms& alarms);
  /// PrefixLM as one bidirectional launch over the prefixes and one causal one over the rest.
  void forward_in_two_passes(const host::Schedule& schedule, host::Alarms& alarms);
  /// Needs O and LSE of a forward.
  void backward(const host::Schedule& schedule, host::Alarms& alarms);

 private:
  template <typename T, typename Views>
  Rows<T> rows_of(TensorName name, const Views& views, const char* label) const;

  const HostKernels& kernels_;
  std::vector<int> cu_q_, cu_k_, prefix_;
  std::vector<int> shifted_q_, prefix_queries_, response_queries_;
  std::vector<float> lse_, log2_, delta_;
  Arguments arguments_;
  const Problem problem_;
};

}  // namespace fathom::hip
