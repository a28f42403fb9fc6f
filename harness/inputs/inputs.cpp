// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/inputs.h"

#include "harness/inputs/fills.h"

namespace fathom {
namespace {

Tensor make_tensor(const Case& c, const TensorSpec& spec) {
  Tensor tensor{spec, std::vector<std::byte>(static_cast<std::size_t>(byte_count(spec)))};
  const RowMaker make_row = row_maker(c.fill, spec.name);
  const auto size = static_cast<std::size_t>(info(spec.dtype).size);
  const auto sequences = static_cast<Index>(c.problem.sequences.size());
  std::vector<double> values;
  Row row{c.problem, c.seed, spec.name, 0, head_count(c.problem, spec.name)};
  for (row.sequence = 0; row.sequence < sequences; ++row.sequence) {
    HeadView view;
    for (row.head = 0; row.head < row.heads; ++row.head) {
      view = head_view(c.problem, spec.name, row.sequence, row.head);
      values.resize(static_cast<std::size_t>(view.channels));
      for (row.row = 0; row.row < view.rows; ++row.row) {
        make_row(row, values);
        const auto at = static_cast<std::size_t>(view.offset + row.row * view.row_stride);
        encode(spec.dtype, values,
               std::span(tensor.bytes).subspan(at * size, values.size() * size));
      }
    }
    row.tokens_before += view.rows;
  }
  return tensor;
}

}  // namespace

TensorSet make_inputs(const Case& c) {
  TensorSet inputs;
  for (const TensorSpec& spec : input_specs(c.problem)) {
    inputs.emplace(spec.name, make_tensor(c, spec));
  }
  return inputs;
}

}  // namespace fathom
