// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/lanes.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace fathom {

Lanes::Lanes(std::vector<WorkerCommand> workers, int count, Oracles oracles,
             const OracleMaker& make) {
  if (oracles == Oracles::shared) oracles_.push_back(make(0));
  for (int lane = 0; lane < count; ++lane) {
    if (oracles == Oracles::apart) oracles_.push_back(make(1));
    lanes_.push_back(std::unique_ptr<Lane>(
        new Lane{WorkerPool(workers, Deadlines{}), InputCache{}, oracles_.back().get()}));
    backends_ = lanes_.back()->workers.hello();
  }
}

void Lanes::run(std::span<const PlannedCase> cases, const OnEnd& on_end, std::size_t grain) {
  std::atomic<std::size_t> next{0};
  std::mutex guard;
  std::exception_ptr trouble;
  const auto run_one = [&](Lane& lane, std::size_t i) {
    CaseTools tools{lane.workers, *lane.oracle, lane.inputs, false, {}, peers_};
    Record record = run_case(cases[i], tools);
    const std::lock_guard lock(guard);
    try {
      on_end(i, std::move(record));
    } catch (...) {
      trouble = std::current_exception();
      next = cases.size();
    }
  };
  const auto work = [&](Lane& lane) {
    for (std::size_t begin = next.fetch_add(grain); begin < cases.size();
         begin = next.fetch_add(grain)) {
      for (std::size_t i = begin; i < std::min(begin + grain, cases.size()); ++i) run_one(lane, i);
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t l = 1; l < lanes_.size() && l < cases.size(); ++l) {
      threads.emplace_back([&, l] { work(*lanes_[l]); });
    }
    if (!lanes_.empty()) work(*lanes_.front());
  }
  if (trouble) std::rethrow_exception(trouble);
}

}  // namespace fathom
