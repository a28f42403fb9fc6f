// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/tensor.h"
#include "reference/kernels.h"

#include <map>
#include <vector>

namespace fathom::reference {

/// The Inputs as fp64 numbers, and where the rows of each (sequence, head) lie.
class Decoded {
 public:
  /// Throws Error if a tensor of input_specs(problem) is missing or has the wrong size.
  Decoded(const Problem& problem, const TensorSet& inputs);
  /// data is null if the Problem has no such tensor.
  [[nodiscard]] Rows rows(TensorName name, Index sequence, Index head) const;

 private:
  const Problem& problem_;
  std::map<TensorName, std::vector<double>> values_;
};

/// visible_keys of every query of a sequence.
std::vector<Interval> visible_intervals(const Problem& problem, Index sequence);

}  // namespace fathom::reference
