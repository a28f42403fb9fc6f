// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"
#include "harness/run/worker_client.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fathom {

/// Splits a command line at blanks; 'single' and "double" quotes group.
std::vector<std::string> split_command(std::string_view text);

/// The workers of a run: one process per worker command, started when first needed, replaced after
/// a loss.
class WorkerPool {
 public:
  WorkerPool(std::vector<WorkerCommand> commands, Deadlines deadlines);

  /// Asks every worker who it is. A worker that cannot answer becomes an absent backend of its own
  /// name, with the reason. Where two workers offer a backend of one name, such as two versions of
  /// torch, the later one's is called after its worker: `flex:eager` of flex28 is `flex28:eager`,
  /// and `fa3`, if flex28 has other backends too, is `flex28:fa3`.
  std::vector<BackendStatus> hello();

  /// Null if no worker offered the backend.
  [[nodiscard]] const BackendStatus* find(const std::string& backend) const;

  /// What the backend's worker calls it: `flex:eager` for `flex28:eager`.
  [[nodiscard]] std::string declared_name(const std::string& backend) const;

  /// The running worker of a backend, started again if it was lost. Throws WorkerLost.
  WorkerClient& client(const std::string& backend);

  /// Kills the worker of a backend; what it printed since the last Record comes back.
  std::string retire(const std::string& backend);

 private:
  struct Slot {
    WorkerCommand command;
    std::unique_ptr<WorkerClient> client;
    BackendAliases aliases;
  };
  std::vector<BackendStatus> introduce(std::size_t slot);
  void enter(std::size_t slot, BackendStatus& status, bool alone);

  Deadlines deadlines_;
  std::vector<Slot> slots_;
  std::map<std::string, std::size_t> slot_of_;
  std::map<std::string, BackendStatus> statuses_;
};

}  // namespace fathom
