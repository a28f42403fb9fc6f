// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/observation.h"
#include "harness/core/tensor.h"
#include "harness/core/visible.h"

#include <map>
#include <vector>

namespace fathom {

/// The rows of one (sequence, head) of a tensor, as fp64 numbers.
struct RowSpan {
  const double* data = nullptr;
  Index stride = 0;
  Index rows = 0;
  Index channels = 0;
  [[nodiscard]] const double* row(Index i) const { return data + i * stride; }
};

/// What alternatives are computed from: the inputs, and the oracle's O and LSE beside them.
class Question {
 public:
  /// Throws Error if an input is missing or has the wrong size.
  Question(const Observation& observation, const TensorSet& inputs);

  [[nodiscard]] const Problem& problem() const { return problem_; }
  /// Rows of an input, or of the oracle's value of an output.
  [[nodiscard]] RowSpan rows(TensorName name, Index sequence, Index head) const;
  [[nodiscard]] double lse(Index sequence, Index head, Index query) const;
  /// What the backward subtracts from dP: sum_c dO O, less the cotangent of the LSE.
  [[nodiscard]] double delta(Index sequence, Index head, Index query) const;
  [[nodiscard]] const std::vector<KeyRange>& visible(Index sequence) const {
    return visible_[static_cast<std::size_t>(sequence)];
  }
  [[nodiscard]] Index group() const { return problem_.query_heads / problem_.kv_heads; }
  [[nodiscard]] const Sequence& sequence(Index s) const {
    return problem_.sequences[static_cast<std::size_t>(s)];
  }
  [[nodiscard]] Index sequences() const { return static_cast<Index>(problem_.sequences.size()); }

 private:
  const Problem& problem_;
  const OracleAnswer& oracle_;
  std::map<TensorName, std::vector<double>> inputs_;
  std::vector<std::vector<KeyRange>> visible_;
};

}  // namespace fathom
