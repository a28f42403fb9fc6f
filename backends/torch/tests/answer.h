// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"
#include "harness/core/tensor.h"
#include "harness/worker/backend.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace fathom::sdpa {

using Named = std::map<TensorName, at::Tensor>;

/// Standard normal inputs of the Problem, rounded to its dtype; `query_factor` scales Q.
Named random_inputs(const Problem& problem, double query_factor = 1);

/// What the backend writes for the inputs, through the Backend interface; every output is NaN
/// before. Outputs that are not_given are left out.
Named answer(worker::Backend& backend, const Problem& problem, const std::string& lowering,
             const Named& inputs);

/// softmax(scale Q K^T + mask) V and its gradients from the definition, in fp64, by at::softmax and
/// autograd, one sequence at a time; LSE too.
Named plain_attention(const Problem& problem, const Named& inputs);

/// The CPU backend of that name.
std::unique_ptr<worker::Backend> cpu_backend(const std::string& name);

}  // namespace fathom::sdpa
