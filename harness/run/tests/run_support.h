// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/case.h"
#include "harness/run/journal.h"
#include "harness/run/worker_process.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::test {

/// A fresh folder that goes away with its owner.
class TempFolder {
 public:
  TempFolder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            ("fathom-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The fake worker, told how to misbehave.
inline WorkerCommand fake_worker(const std::string& script) {
  WorkerCommand command{"fake", {std::string(FATHOM_BINARY_DIR) + "/tests/fathom-worker-fake"}};
  if (!script.empty()) command.argv.push_back(script);
  return command;
}

/// A tiny forward Case; the fake misbehaves in head dim 13 and is honest in others.
inline Case tiny_case(Index head_dim, std::uint64_t seed = 1) {
  return parse_case("dir=fwd dtype=f32 layout=bshd hq=2 hkv=1 d=" + std::to_string(head_dim) +
                    " dv=8 seqs=2*6x9 mask=full fill=normal seed=" + std::to_string(seed));
}

inline PlannedCase planned_for(const std::string& backend, const Case& c) {
  return {case_id(backend, c), backend, c};
}

}  // namespace fathom::test
