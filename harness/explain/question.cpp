// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/question.h"

#include "harness/core/error.h"

#include <string>

namespace fathom {

Question::Question(const Observation& observation, const TensorSet& inputs)
    : problem_(observation.c.problem), oracle_(*observation.oracle) {
  for (const TensorSpec& spec : input_specs(problem_)) {
    const auto found = inputs.find(spec.name);
    if (found == inputs.end() ||
        static_cast<Index>(found->second.bytes.size()) != byte_count(spec)) {
      throw Error("the explainer was not given the input " + std::string(to_string(spec.name)));
    }
    std::vector<double>& values = inputs_[spec.name];
    values.resize(static_cast<std::size_t>(element_count(spec)));
    decode(spec.dtype, found->second.bytes, values);
  }
  for (const Sequence& lengths : problem_.sequences) {
    std::vector<KeyRange>& ranges = visible_.emplace_back();
    for (Index query = 0; query < lengths.query_length; ++query) {
      ranges.push_back(visible_keys(problem_.mask, lengths, query));
    }
  }
}

RowSpan Question::rows(TensorName name, Index sequence, Index head) const {
  const auto input = inputs_.find(name);
  const std::vector<double>& values =
      input == inputs_.end() ? oracle_.at(name).value : input->second;
  const HeadView view = head_view(problem_, name, sequence, head);
  return {values.data() + view.offset, view.row_stride, view.rows, view.channels};
}

double Question::lse(Index sequence, Index head, Index query) const {
  return *rows(TensorName::lse, sequence, head).row(query);
}

double Question::delta(Index sequence, Index head, Index query) const {
  const double* const o = rows(TensorName::o, sequence, head).row(query);
  const double* const dout = rows(TensorName::dout, sequence, head).row(query);
  double sum = 0;
  for (Index c = 0; c < problem_.value_dim; ++c) sum += o[c] * dout[c];
  if (inputs_.contains(TensorName::dlse)) {
    sum -= *rows(TensorName::dlse, sequence, head).row(query);
  }
  return sum;
}

}  // namespace fathom
