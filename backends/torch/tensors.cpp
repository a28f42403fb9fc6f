// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/tensors.h"

#include "backends/torch/dense_mask.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

namespace fathom::sdpa {
namespace {

at::Tensor share(const TensorSpec& spec, void* bytes) {
  return at::from_blob(bytes, spec.shape, at::TensorOptions().dtype(scalar_type(spec.dtype)));
}

/// One sequence's mask, (Sq, Sk) in fp32.
void fill_mask(at::Tensor into, const Mask& mask, const Sequence& sequence) {
  auto rows = into.accessor<float, 2>();
  for (Index query = 0; query < sequence.query_length; ++query) {
    for (Index key = 0; key < sequence.key_length; ++key) {
      if (!attends(mask, sequence, query, key)) {
        rows[query][key] = -std::numeric_limits<float>::infinity();
      }
    }
  }
}

}  // namespace

at::ScalarType scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64: return at::kDouble;
    case Dtype::f32: return at::kFloat;
    case Dtype::f16: return at::kHalf;
    case Dtype::bf16: return at::kBFloat16;
  }
  return at::kFloat;
}

at::Tensor share(const TensorView& view) {
  // torch has no tensor of const elements; an input is never handed to anything that writes it.
  return share(view.spec, const_cast<std::byte*>(view.bytes.data()));
}

at::Tensor share(const MutableTensorView& view) {
  return share(view.spec, view.bytes.data());
}

at::Tensor rows_of(const at::Tensor& whole, Layout layout, const Call& call, Rows rows) {
  const bool queries = rows == Rows::queries;
  if (layout == Layout::thd) {
    const Index begin = queries ? call.query_begin : call.key_begin;
    const Index length = queries ? call.query_length : call.key_length;
    return whole.narrow(0, begin, length).unsqueeze(0).transpose(1, 2);
  }
  const at::Tensor batch = whole.narrow(0, call.first, call.count);
  return layout == Layout::bshd ? batch.transpose(1, 2) : batch;
}

at::Tensor lse_rows_of(const at::Tensor& whole, Layout layout, const Call& call) {
  if (layout == Layout::thd) {
    return whole.narrow(1, call.query_begin, call.query_length).unsqueeze(0);
  }
  return whole.narrow(0, call.first, call.count);
}

at::Tensor additive_mask(const Problem& problem, const Call& call, Index align) {
  const auto begin = problem.sequences.begin() + call.first;
  const auto end = begin + call.count;
  const bool alike = std::all_of(begin, end, [&](const Sequence& s) { return s == *begin; });
  const Index count = alike ? 1 : call.count;
  const Index padded = (call.key_length + align - 1) / align * align;
  at::Tensor mask = at::zeros({count, 1, call.query_length, padded}, at::kFloat);
  for (Index i = 0; i < count; ++i) {
    fill_mask(mask.select(0, i).select(0, 0), problem.mask, begin[i]);
  }
  return mask.to(scalar_type(problem.dtype)).narrow(3, 0, call.key_length);
}

}  // namespace fathom::sdpa
