// SPDX-License-Identifier: Apache-2.0
#include "reference/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace fathom::reference {

int thread_count(int asked) {
  return asked > 0 ? asked : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void run_tasks(Index count, int threads, const std::function<void(Index)>& task) {
  std::atomic<Index> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto work = [&] {
    try {
      for (Index i = next++; i < count; i = next++) task(i);
    } catch (...) {
      const std::lock_guard lock(guard);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  std::vector<std::jthread> helpers;
  for (int t = 1; t < threads && t < count; ++t) helpers.emplace_back(work);
  work();
  helpers.clear();  // Joins.
  if (failure) std::rethrow_exception(failure);
}

}  // namespace fathom::reference
