// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/protocol/unique_fd.h"
#include "harness/run/captured_output.h"

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// How to start a worker: a name for people and an argument vector.
struct WorkerCommand {
  std::string name;
  std::vector<std::string> argv;
  bool operator==(const WorkerCommand&) const = default;
};

/// A running worker: its own process group, killed when the driver dies, with the protocol's
/// socket as its descriptor 3 and its standard output and error captured.
class WorkerProcess {
 public:
  using Clock = std::chrono::steady_clock;

  /// Throws InfrastructureError if the program cannot be started.
  explicit WorkerProcess(const WorkerCommand& command);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  /// Kills the whole process group and reaps it.
  ~WorkerProcess();

  [[nodiscard]] int channel() const { return channel_.get(); }
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Waits until the channel is readable (or closed); keeps draining what the worker prints.
  /// False if the deadline passes first.
  bool wait_readable(Clock::time_point deadline);

  /// How the process ended, `SIGFPE` or `exit(3)`; empty if it still runs after the grace time.
  std::optional<std::string> wait_end(std::chrono::milliseconds grace);

  std::string take_log();
  void kill();

 private:
  void drain();
  UniqueFd channel_;
  UniqueFd output_;
  CapturedOutput captured_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
};

}  // namespace fathom
