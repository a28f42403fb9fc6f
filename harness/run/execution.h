// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/observation.h"
#include "harness/core/tensor.h"
#include "harness/inputs/guards.h"
#include "harness/protocol/messages.h"
#include "harness/protocol/shared_memory.h"

#include <map>
#include <string>
#include <vector>

namespace fathom {

/// The memory of one execution: inputs between guards, outputs between guards and full of poison.
/// The driver keeps its own copy of what it painted and looks at the worker's only through reads.
class Execution {
 public:
  Execution(const Problem& problem, const TensorSet& inputs,
            Surroundings surroundings = Surroundings::pattern);

  [[nodiscard]] PrepareRequest request(const std::string& backend,
                                       const std::string& lowering) const;
  [[nodiscard]] int fd() const { return memory_.fd(); }

  /// What lies in the memory now: outputs with their guards and unwritten elements examined, and
  /// the names of inputs that changed.
  struct Observed {
    std::map<TensorName, ObservedTensor> outputs;
    std::vector<std::string> mutated_inputs;
  };
  /// Fills the outputs with poison again; inputs keep what lies in the memory.
  void repaint_outputs();
  [[nodiscard]] Observed observe(const std::map<TensorName, Transport>& transports) const;

 private:
  struct Region {
    TensorSlot slot;
    Index begin = 0;  ///< Of the guard before the tensor.
    Index end = 0;    ///< Of the guard behind it.
  };
  [[nodiscard]] std::string guard_damage(const Region& region,
                                         std::span<const std::byte> image) const;

  Problem problem_;
  std::vector<Region> inputs_;
  std::vector<Region> outputs_;
  std::vector<std::byte> painted_;
  SharedMemory memory_;
};

}  // namespace fathom
