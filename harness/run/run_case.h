// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/oracle.h"
#include "harness/core/record.h"
#include "harness/run/worker_pool.h"
#include "harness/timing/stop_rule.h"

#include <memory>
#include <string>

namespace fathom {

/// What running a case needs beside the case.
struct CaseTools {
  WorkerPool& workers;
  Oracle& oracle;
  bool measure = true;
  StopRule stop_rule;
};

/// The Inputs of the last Case, kept because the next planned case is usually the same question to
/// another backend.
class InputCache {
 public:
  const TensorSet& get(const Case& c);

 private:
  std::string key_;
  TensorSet inputs_;
};

/// Puts one planned case to its worker and judges what comes back. Every exception ends here, as a
/// verdict; a lost worker is retired.
Record run_case(const PlannedCase& planned, CaseTools& tools, InputCache& inputs);

}  // namespace fathom
