// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/device.h"
#include "backends/torch/fa3_ops.h"
#include "harness/worker/backend.h"

#include <map>
#include <optional>
#include <string>

namespace fathom::fa3 {

/// A Problem of the same kind that costs as little as can be: one sequence with a query and a key
/// at least, one KV head and its group. As long as the longest, because a window that hides nothing
/// is no window to the op.
Problem smallest_of_its_kind(const Problem& problem);

/// Which kinds of Problems a build refuses. Features that were left out of a build keep their
/// arguments and throw when they are asked for, so only a call tells.
class Trials {
 public:
  /// The library's own sentence; empty if it answers zeros of this kind. Asks once for each kind.
  std::optional<worker::Refusal> why_refused(const Ops& ops, const sdpa::Device& device,
                                             const Problem& problem, const std::string& lowering);

 private:
  std::map<std::string, std::optional<worker::Refusal>> asked_;
};

}  // namespace fathom::fa3
