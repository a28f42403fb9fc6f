// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"
#include "harness/core/tensor.h"
#include "harness/worker/backend.h"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fathom::worker {

/// A tensor with memory of its own on both sides, as the driver lays it out: defects read and
/// write behind the end.
struct Guarded {
  TensorSpec spec;
  std::vector<std::byte> memory;
  [[nodiscard]] std::span<std::byte> bytes();
  [[nodiscard]] std::span<const std::byte> bytes() const;
  [[nodiscard]] bool is_guard_intact() const;
};

/// A Problem with its tensors, to put to a backend: inputs N(0, spread) in storage, outputs filled
/// with NaN.
struct Bench {
  Problem problem;
  std::map<TensorName, Guarded> inputs;
  std::map<TensorName, Guarded> outputs;

  explicit Bench(const std::string& problem_text, double spread = 1, unsigned seed = 1);
  [[nodiscard]] InputViews input_views() const;
  [[nodiscard]] OutputViews output_views();
  [[nodiscard]] std::unique_ptr<Plan> plan(Backend& backend);
  void run(Backend& backend);
  [[nodiscard]] std::vector<double> values(TensorName name) const;
  void set(TensorName input, const std::vector<double>& values);
};

}  // namespace fathom::worker
