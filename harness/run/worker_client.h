// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/error.h"
#include "harness/core/verdict.h"
#include "harness/protocol/frame.h"
#include "harness/protocol/messages.h"
#include "harness/run/worker_process.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace fathom {

/// The worker did not answer properly and is of no more use: crash, hang or protocol_error.
class WorkerLost : public Error {
 public:
  WorkerLost(Verdict verdict, std::string code, const std::string& sentence)
      : Error(sentence), verdict_(verdict), code_(std::move(code)) {}
  [[nodiscard]] Verdict verdict() const { return verdict_; }
  [[nodiscard]] const std::string& code() const { return code_; }

 private:
  Verdict verdict_;
  std::string code_;  ///< SIGFPE, exit(3), the phase of a hang, ...
};

/// The worker lives, and says that its backend raised an error or ran out of memory.
class BackendError : public Error {
 public:
  BackendError(std::string kind, const std::string& message)
      : Error(message), kind_(std::move(kind)) {}
  [[nodiscard]] const std::string& kind() const { return kind_; }  ///< exception, out_of_memory

 private:
  std::string kind_;
};

/// How long each request may take.
struct Deadlines {
  std::chrono::milliseconds hello{60'000};
  std::chrono::milliseconds support{60'000};  ///< A library may be loaded for the first question.
  std::chrono::milliseconds prepare{120'000};
  std::chrono::milliseconds execute{120'000};
  std::chrono::milliseconds time{120'000};
};

/// What the driver calls a backend -> what its worker calls it, where the two differ.
using BackendAliases = std::map<std::string, std::string>;

/// A worker as the driver sees it. One function per message of the protocol; each throws
/// WorkerLost when the worker does not answer properly before its deadline.
class WorkerClient {
 public:
  WorkerClient(const WorkerCommand& command, const Deadlines& deadlines);

  /// From here on, requests name these backends as the worker does.
  void use(const BackendAliases& aliases) { aliases_ = aliases; }

  HelloAnswer hello();
  SupportAnswer support(SupportRequest request);
  /// `memory` is the descriptor of the execution's shared memory.
  PrepareAnswer prepare(PrepareRequest request, int memory);
  ExecuteAnswer execute(const Problem& problem);
  TimeReply time(const TimeMessage& request);
  MemoryUse memory();
  GraphAnswer graph();
  void release();

  std::string take_log() { return process_.take_log(); }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  Json ask(Json request, std::chrono::milliseconds patience, int passed_fd = -1);
  Json receive(std::int64_t seq, const std::string& type,
               WorkerProcess::Clock::time_point deadline);
  [[noreturn]] void lose_closed(const std::string& during);

  [[nodiscard]] const std::string& own_name(const std::string& backend) const;

  std::string name_;
  BackendAliases aliases_;
  Deadlines deadlines_;
  WorkerProcess process_;
  FrameBuffer buffer_;
  std::int64_t seq_ = 0;
  std::string phase_;
};

}  // namespace fathom
