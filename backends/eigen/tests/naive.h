// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"
#include "harness/core/tensor.h"
#include "harness/worker/backend.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace fathom::eigen {

/// A Problem with its tensors: inputs N(0,1) in storage, outputs filled with NaN.
struct Bench {
  Problem problem;
  TensorSet inputs;
  TensorSet outputs;

  explicit Bench(const std::string& problem_text, unsigned seed = 1);
  [[nodiscard]] worker::InputViews input_views() const;
  [[nodiscard]] worker::OutputViews output_views();
  void run();  ///< forward, and backward if the Problem has one.
  [[nodiscard]] std::vector<double> values(TensorName name) const;
  void set(TensorName input, const std::vector<double>& values);
};

using Answer = std::map<TensorName, std::vector<double>>;

/// Attention from its definition: loops over (query, key) in double, a predicate of its own, and
/// nothing of Eigen. Tensors are indexed like the Problem's.
Answer naive_attention(const Bench& bench);

}  // namespace fathom::eigen
