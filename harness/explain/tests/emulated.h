// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/judge.h"
#include "harness/core/explanation.h"
#include "harness/core/observation.h"
#include "harness/core/visible.h"

#include <functional>
#include <map>
#include <string_view>
#include <vector>

namespace fathom {

/// An attention kernel in plain fp64 loops, with seams at which faults are planted. Its answer gets
/// errors of the size that the oracle's sigma allows.
struct Seams {
  std::function<KeyRange(const Problem&, Index s, Index head, Index query)> keys;
  /// How often a visible key counts (1: once).
  std::function<double(Index s, Index head, Index query, Index key)> weight;
  std::function<Index(const Problem&, Index head)> kv_head;
  std::function<Index(Index s, Index key)> key_row;    ///< Whose K stands in place of a key's.
  std::function<Index(Index s, Index key)> value_row;  ///< Whose V.
  /// Keys of the next sequence that are visible too.
  std::function<Index(const Problem&, Index s)> next_keys;
  double scale = 1;  ///< Times the right one.
  Index zero_keys = 0;
  Index lost_channels = 0;  ///< Of Q K^T.
  /// Faults of the backward alone; the forward stays right.
  std::function<KeyRange(const Problem&, Index s, Index query)> backward_keys;
  std::function<double(Index s, Index head, Index query, Index key)> dq_weight;
  std::function<double(Index s, Index head, Index query, Index key)> dk_weight;
  std::function<double(Index s, Index head, Index query, Index key)> dv_weight;
  std::function<Index(Index query)> delta_row;  ///< Whose D is used; -1: none.
};

/// Values of outputs before they are rounded, and edits of them.
using Outputs = std::map<TensorName, std::vector<double>>;

struct Emulated {
  Case c;
  TensorSet inputs;
  Observation observation;
  Judgement judgement;
};

/// A Case put to the kernel with the seams; `edit` touches the outputs afterwards.
Emulated emulate(const Case& c, const Seams& seams,
                 const std::function<void(const Problem&, Outputs&)>& edit = {});

/// `dir=fwd dtype=bf16 ... fill=normal seed=1` with Arithmetic of a flash kernel.
Case case_of(std::string_view text);

}  // namespace fathom
