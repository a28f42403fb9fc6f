// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/run/case_tools.h"
#include "harness/run/run_case.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace fathom {

using OracleMaker = std::function<std::unique_ptr<Oracle>(int threads)>;

/// Cases side by side: each lane is a thread with workers and Inputs of its own. Records say
/// nothing about speed.
class Lanes {
 public:
  enum class Oracles : std::uint8_t {
    shared,  ///< One for all: many backends answer the same Case.
    apart,   ///< One a lane: every Case is another.
  };
  Lanes(std::vector<WorkerCommand> workers, int count, Oracles oracles, const OracleMaker& make);

  /// What the workers said of themselves.
  [[nodiscard]] const std::vector<BackendStatus>& backends() const { return backends_; }

  /// Called with the place of the case in the list; one call at a time, in no order.
  using OnEnd = std::function<void(std::size_t, Record)>;
  /// A lane takes `grain` cases at a time: neighbours that share their Inputs stay together.
  void run(std::span<const PlannedCase> cases, const OnEnd& on_end, std::size_t grain = 1);

  /// Whether Records hold what the acceptance rules of other projects say.
  void ask_peers(bool ask) { peers_ = ask; }

 private:
  struct Lane {
    WorkerPool workers;
    InputCache inputs;
    Oracle* oracle;
  };
  std::vector<std::unique_ptr<Oracle>> oracles_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<BackendStatus> backends_;
  bool peers_ = false;
};

}  // namespace fathom
