// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/visible.h"
#include "harness/probes/exact_limits.h"
#include "harness/probes/numbers.h"

#include <functional>
#include <vector>

namespace fathom::probing {

/// Sums over any interval of keys of a tensor with key rows, in fp64: what a row sees is an
/// interval, so that every row of an answer to Q = 0 costs two look-ups.
class RunningSums {
 public:
  /// `weight` of a key multiplies its row; all 1 without it.
  using Weight = std::function<double(const RowAt&)>;
  RunningSums(const Problem& problem, TensorName name, const Tensor& tensor,
              const Weight& weight = {});

  [[nodiscard]] Sum sum(Index sequence, Index head, const KeyRange& keys, Index channel) const;
  /// The same with the weights 1 / keys.size().
  [[nodiscard]] Sum mean(Index sequence, Index head, const KeyRange& keys, Index channel) const;

 private:
  struct Block {
    std::vector<double> value, absolute, square;  ///< (keys + 1, channels)
  };
  [[nodiscard]] const Block& block(Index sequence, Index head) const {
    return blocks_[static_cast<std::size_t>(sequence * heads_ + head)];
  }
  Index heads_ = 0;
  Index channels_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace fathom::probing
