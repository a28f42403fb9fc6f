// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/oracle.h"
#include "harness/run/worker_pool.h"
#include "harness/timing/stop_rule.h"

#include <memory>
#include <string>

namespace fathom {

/// The Inputs of the last Case, kept because the next execution is usually the same question again:
/// to another backend, or to the same one.
class InputCache {
 public:
  std::shared_ptr<const TensorSet> get(const Case& c);

 private:
  std::string key_;
  std::shared_ptr<const TensorSet> inputs_;
};

/// What running a case needs beside the case.
struct CaseTools {
  WorkerPool& workers;
  Oracle& oracle;
  InputCache& inputs;
  bool measure = true;
  StopRule stop_rule;
  bool peers = false;  ///< Records get the opinions of other projects' acceptance rules.
};

}  // namespace fathom
