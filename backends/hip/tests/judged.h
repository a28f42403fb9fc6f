// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/host_kernels.h"
#include "backends/hip/platform/host/executor.h"
#include "harness/checks/judge.h"
#include "harness/core/case.h"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace fathom::hip {

/// What became of one Case: the outputs as bytes, and the alarms.
struct Answer {
  Case c;
  std::map<TensorName, ObservedTensor> outputs;
  host::Alarms alarms;
  [[nodiscard]] std::vector<double> values(TensorName name) const;
};

enum class Way { native, two_pass };

/// Runs a Case on the executor, its outputs poisoned before. `text` is that of a Case; `fill` and
/// `seed` may be left out.
void run(const std::string& text, Target target, const host::Schedule& schedule, Way way,
         Answer& answer);

/// What fathom says of the answer, by the Arithmetic that the backend declares.
Judgement judged(const Answer& answer);

}  // namespace fathom::hip
