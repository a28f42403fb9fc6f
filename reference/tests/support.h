// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/oracle.h"
#include "harness/core/tensor.h"
#include "reference/compute.h"
#include "reference/instruction_set.h"

#include <cmath>
#include <functional>
#include <random>
#include <vector>

// Small helpers of the oracle's tests: Inputs from a generator, and elements by their place.

namespace fathom::reference {

inline std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(element_count(tensor.spec)));
  decode(tensor.spec.dtype, tensor.bytes, values);
  return values;
}

inline Tensor make_tensor(const TensorSpec& spec, const std::vector<double>& values) {
  Tensor tensor{spec, std::vector<std::byte>(static_cast<std::size_t>(byte_count(spec)))};
  encode(spec.dtype, values, tensor.bytes);
  return tensor;
}

/// Every Input drawn by `draw`, rounded to storage.
inline TensorSet make_test_inputs(const Problem& problem,
                                  const std::function<double(TensorName)>& draw) {
  TensorSet inputs;
  for (const TensorSpec& spec : input_specs(problem)) {
    std::vector<double> values(static_cast<std::size_t>(element_count(spec)));
    for (double& value : values) value = draw(spec.name);
    inputs[spec.name] = make_tensor(spec, values);
  }
  return inputs;
}

inline TensorSet normal_inputs(const Problem& problem, unsigned seed = 1) {
  std::mt19937_64 bits(seed);
  std::normal_distribution<double> normal;
  return make_test_inputs(problem, [&](TensorName) { return normal(bits); });
}

inline TensorSet constant_inputs(const Problem& problem, double q, double k, double v) {
  return make_test_inputs(problem, [=](TensorName name) {
    if (name == TensorName::q) return q;
    return name == TensorName::k ? k : v;
  });
}

/// Element of a tensor's vector by its place.
template <typename Values>
auto& at(Values& values, const Problem& problem, TensorName name, Index sequence, Index head,
         Index row, Index channel = 0) {
  const HeadView view = head_view(problem, name, sequence, head);
  return values[static_cast<std::size_t>(view.offset + row * view.row_stride + channel)];
}

inline OracleAnswer ask(const Problem& problem, const TensorSet& inputs,
                        const Arithmetic& arithmetic, int threads = 1) {
  return compute_answer(problem, arithmetic, inputs, runnable_kernels().front(), threads);
}
inline OracleAnswer ask(const Problem& problem, const TensorSet& inputs) {
  return ask(problem, inputs, flash_arithmetic(problem.dtype));
}

/// Problems that between them have every mask, grouped heads, d != dv, packed and dense layouts,
/// cross lengths, empty sequences, masked rows and an LSE cotangent; small enough to differentiate
/// element by element.
inline const std::vector<const char*> small_problems{
    "dir=fwd+bwd dtype=f64 layout=bshd hq=2 hkv=2 d=3 dv=4 seqs=2*5 mask=full",
    "dir=fwd+bwd dtype=f64 layout=bhsd hq=4 hkv=2 d=4 dv=2 seqs=2*4x6 mask=causal(bottom_right) "
    "lse=required dlse=true",
    "dir=fwd+bwd dtype=f64 layout=bshd hq=3 hkv=1 d=2 dv=3 seqs=6x4 mask=causal(bottom_right) "
    "lse=required dlse=true",
    "dir=fwd+bwd dtype=f64 layout=bshd hq=1 hkv=1 d=3 dv=3 seqs=6x4 mask=causal(top_left)",
    "dir=fwd+bwd dtype=f64 layout=thd hq=2 hkv=1 d=3 dv=5 seqs=4p2,0,7p3,3x0,0x4,3x5p4 "
    "mask=prefix_lm lse=required dlse=true",
    "dir=fwd+bwd dtype=f64 layout=thd hq=2 hkv=2 d=5 dv=1 seqs=7,4x6 mask=window(2,1) scale=0.9",
    "dir=fwd+bwd dtype=f64 layout=thd hq=4 hkv=1 d=2 dv=2 seqs=6,5 "
    "mask=document(2,3)&causal(bottom_right) lse=required dlse=true scale=-1.3",
};

}  // namespace fathom::reference
