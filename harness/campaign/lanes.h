// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/run/case_tools.h"
#include "harness/run/run_case.h"

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

namespace fathom {

using OracleMaker = std::function<std::unique_ptr<Oracle>(int threads)>;

/// Cases side by side: each lane is a thread with workers and Inputs of its own. The threads live
/// as long as the Lanes, since a worker dies with the thread that started it. Records say nothing
/// about speed.
class Lanes {
 public:
  enum class Oracles : std::uint8_t {
    shared,  ///< One for all: many backends answer the same Case.
    apart,   ///< One a lane: every Case is another.
  };
  Lanes(const std::vector<WorkerCommand>& workers, int count, Oracles oracles,
        const OracleMaker& make);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Called with the place of the case in the list; one call at a time, in no order.
  using OnEnd = std::function<void(std::size_t, Record)>;
  /// A lane takes `grain` cases at a time: neighbours that share their Inputs stay together.
  /// Rethrows the first exception of on_end.
  void run(std::span<const PlannedCase> cases, const OnEnd& on_end, std::size_t grain = 1);

  /// Whether Records hold what the acceptance rules of other projects say.
  void ask_peers(bool ask) { peers_ = ask; }

 private:
  struct Lane {
    WorkerPool workers;
    InputCache inputs;
    Oracle& oracle;
  };
  /// What run() asks of every lane.
  struct Job {
    std::span<const PlannedCase> cases;
    const OnEnd* on_end = nullptr;
    std::size_t grain = 1;
    std::size_t next = 0;
    std::exception_ptr trouble;
  };
  void work(Lane& lane, const std::stop_token& stop);
  void take_cases(Lane& lane, Job& job);

  std::vector<std::unique_ptr<Oracle>> oracles_;
  bool peers_ = false;
  std::mutex guard_;                  ///< Of job_, its numbers, and on_end.
  std::condition_variable_any wake_;  ///< A job has come, or a lane has done its part.
  Job* job_ = nullptr;
  std::uint64_t jobs_ = 0;  ///< How many have come.
  std::size_t lanes_busy_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace fathom
