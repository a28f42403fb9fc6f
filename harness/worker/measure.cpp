// SPDX-License-Identifier: Apache-2.0
#include "harness/worker/measure.h"

#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace fathom::worker {
namespace {

/// Larger than the last-level cache of the machines this runs on.
constexpr std::size_t flush_bytes = std::size_t{256} << 20;

/// Walks a buffer larger than the caches, so that the next sample starts cold.
void flush_caches() {
  static std::vector<unsigned char> buffer(flush_bytes);
  for (std::size_t i = 0; i < buffer.size(); i += 64) ++buffer[i];
}

/// A line `Name:   123 kB` of /proc/self/status, in bytes.
std::optional<Index> status_bytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream rest(line.substr(name.size() + 1));
    Index kib = 0;
    if (rest >> kib) return kib * 1024;
  }
  return std::nullopt;
}

/// Sets VmHWM back to VmRSS (Linux >= 4.0).
bool reset_peak() {
  std::ofstream clear("/proc/self/clear_refs");
  clear << "5";
  clear.flush();
  return clear.good();
}

}  // namespace

TimeAnswer time_on_cpu(const TimeRequest& request, const std::function<void()>& body) {
  TimeAnswer answer{"cpu", {}, ""};
  body();
  for (Index i = 0; i < request.samples; ++i) {
    if (request.cold) flush_caches();
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    answer.samples_ns.push_back(took.count());
  }
  return answer;
}

MemoryUse resident_growth(const std::function<void()>& body, Index output_bytes) {
  MemoryUse use;
  use.output_bytes = output_bytes;
  ::malloc_trim(0);  // Give freed pages back, or the body would reuse them unseen.
  const auto before = status_bytes("VmRSS");
  if (!before || !reset_peak()) {
    use.reason = "this kernel does not reset the peak resident size (/proc/self/clear_refs)";
    return use;
  }
  body();
  const auto peak = status_bytes("VmHWM");
  if (!peak) {
    use.reason = "/proc/self/status shows no VmHWM";
    return use;
  }
  use.method = "resident";
  use.peak_bytes = std::max<Index>(0, *peak - *before);
  return use;
}

}  // namespace fathom::worker
