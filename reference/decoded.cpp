// SPDX-License-Identifier: Apache-2.0
#include "reference/decoded.h"

#include "harness/core/error.h"
#include "harness/core/visible.h"

#include <string>

namespace fathom::reference {

Decoded::Decoded(const Problem& problem, const TensorSet& inputs) : problem_(problem) {
  for (const TensorSpec& spec : input_specs(problem)) {
    const auto found = inputs.find(spec.name);
    const std::string name(to_string(spec.name));
    if (found == inputs.end()) throw Error("the oracle was given no tensor " + name);
    const Tensor& tensor = found->second;
    if (static_cast<Index>(tensor.bytes.size()) != byte_count(spec)) {
      throw Error("the oracle was given " + std::to_string(tensor.bytes.size()) + " bytes of " +
                  name + ", which has " + std::to_string(byte_count(spec)));
    }
    std::vector<double>& values = values_[spec.name];
    values.resize(static_cast<std::size_t>(element_count(spec)));
    decode(spec.dtype, tensor.bytes, values);
  }
}

Rows Decoded::rows(TensorName name, Index sequence, Index head) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return {};
  const HeadView view = head_view(problem_, name, sequence, head);
  return {found->second.data() + view.offset, view.row_stride, view.rows, view.channels};
}

std::vector<Interval> visible_intervals(const Problem& problem, Index sequence) {
  const Sequence& lengths = problem.sequences[static_cast<std::size_t>(sequence)];
  std::vector<Interval> visible;
  for (Index query = 0; query < lengths.query_length; ++query) {
    const KeyRange keys = visible_keys(problem.mask, lengths, query);
    visible.push_back({keys.begin, keys.begin + keys.size()});
  }
  return visible;
}

}  // namespace fathom::reference
