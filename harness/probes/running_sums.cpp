// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/running_sums.h"

#include <cmath>

namespace fathom::probing {

RunningSums::RunningSums(const Problem& problem, TensorName name, const Tensor& tensor,
                         const Weight& weight)
    : heads_(head_count(problem, name)) {
  const Numbers numbers(problem, name, tensor);
  blocks_.resize(problem.sequences.size() * static_cast<std::size_t>(heads_));
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const auto index = static_cast<Index>(b);
    const HeadView view = head_view(problem, name, index / heads_, index % heads_);
    channels_ = view.channels;
    const auto size = static_cast<std::size_t>((view.rows + 1) * channels_);
    blocks_[b] = {std::vector<double>(size), std::vector<double>(size), std::vector<double>(size)};
  }
  visit_rows(problem, name, [&](const RowAt& at) {
    Block& sums = blocks_[static_cast<std::size_t>(at.sequence * heads_ + at.head)];
    const double w = weight ? weight(at) : 1;
    for (Index c = 0; c < channels_; ++c) {
      const auto from = static_cast<std::size_t>(at.row * channels_ + c);
      const auto to = from + static_cast<std::size_t>(channels_);
      const double x = w * numbers.values()[static_cast<std::size_t>(at.first + c)];
      sums.value[to] = sums.value[from] + x;
      sums.absolute[to] = sums.absolute[from] + std::abs(x);
      sums.square[to] = sums.square[from] + x * x;
    }
  });
}

Sum RunningSums::sum(Index sequence, Index head, const KeyRange& keys, Index channel) const {
  if (keys.size() == 0) return {};
  const Block& sums = block(sequence, head);
  const auto begin = static_cast<std::size_t>(keys.begin * channels_ + channel);
  const auto end = static_cast<std::size_t>(keys.end * channels_ + channel);
  return {sums.value[end] - sums.value[begin], sums.absolute[end] - sums.absolute[begin],
          sums.square[end] - sums.square[begin], keys.size()};
}

Sum RunningSums::mean(Index sequence, Index head, const KeyRange& keys, Index channel) const {
  Sum sum = this->sum(sequence, head, keys, channel);
  const auto n = static_cast<double>(std::max<Index>(keys.size(), 1));
  sum.value /= n;
  sum.absolute /= n;
  sum.square /= n * n;
  return sum;
}

}  // namespace fathom::probing
