// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/tensor.h"

#include <functional>
#include <vector>

namespace fathom::reference {

/// Where a flash kernel rounds: each function maps an fp32 number to one of a narrower format.
struct Roundings {
  std::function<double(double)> p, ds, out, partial;
  Index split = 0;  ///< Keys of the first of two partial results; 0: no split.
};
Roundings nearest(Dtype p, Dtype out);
/// Toward zero instead, as a kernel that cuts off the low bits does.
double truncate_to(Dtype dtype, double x);

/// Attention of one head (full mask) as an honest tiled kernel computes it: fp32 throughout, online
/// softmax over tiles of 128 keys, P rounded for P V, D from the rounded O, LSE stored in fp32, P
/// and dS rounded for the products of the backward pass.
struct HonestAnswer {
  std::vector<double> o, lse, dq, dk, dv;
};
HonestAnswer run_honest_kernel(const Problem& problem, const TensorSet& inputs,
                               const Roundings& roundings);

}  // namespace fathom::reference
