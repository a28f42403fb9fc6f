// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/lanes.h"

#include <algorithm>

namespace fathom {

Lanes::Lanes(const std::vector<WorkerCommand>& workers, int count, Oracles oracles,
             const OracleMaker& make) {
  if (oracles == Oracles::shared) oracles_.push_back(make(0));
  for (int number = 0; number < count; ++number) {
    if (oracles == Oracles::apart) oracles_.push_back(make(1));
    threads_.emplace_back(
        [this, workers, oracle = oracles_.back().get()](const std::stop_token& stop) {
          Lane lane{WorkerPool(workers, Deadlines{}), InputCache{}, *oracle};
          lane.workers.hello();
          work(lane, stop);
        });
  }
}

Lanes::~Lanes() {
  for (std::jthread& thread : threads_) thread.request_stop();
  wake_.notify_all();
}

void Lanes::run(std::span<const PlannedCase> cases, const OnEnd& on_end, std::size_t grain) {
  Job job{cases, &on_end, grain, 0, nullptr};
  std::unique_lock lock(guard_);
  job_ = &job;
  ++jobs_;
  lanes_busy_ = threads_.size();
  wake_.notify_all();
  wake_.wait(lock, [this] { return lanes_busy_ == 0; });
  job_ = nullptr;
  if (job.trouble) std::rethrow_exception(job.trouble);
}

void Lanes::work(Lane& lane, const std::stop_token& stop) {
  std::uint64_t seen = 0;
  std::unique_lock lock(guard_);
  while (wake_.wait(lock, stop, [&] { return jobs_ > seen; })) {
    seen = jobs_;
    Job& job = *job_;
    lock.unlock();
    take_cases(lane, job);
    lock.lock();
    --lanes_busy_;
    wake_.notify_all();
  }
}

void Lanes::take_cases(Lane& lane, Job& job) {
  CaseTools tools{lane.workers, lane.oracle, lane.inputs, false, {}, peers_};
  std::unique_lock lock(guard_);
  while (job.next < job.cases.size()) {
    const std::size_t begin = job.next;
    const std::size_t end = std::min(begin + job.grain, job.cases.size());
    job.next = end;
    for (std::size_t i = begin; i < end; ++i) {
      lock.unlock();
      Record record = run_case(job.cases[i], tools);
      lock.lock();
      try {
        (*job.on_end)(i, std::move(record));
      } catch (...) {
        job.trouble = std::current_exception();
        job.next = job.cases.size();
        return;
      }
    }
  }
}

}  // namespace fathom
