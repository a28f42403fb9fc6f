// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::hip::host {

/// What the executor reports about a kernel, whatever numbers the kernel computed.
enum class AlarmKind : std::uint8_t {
  race,           ///< Two lanes, one of them writing, the same word, no barrier between.
  divergence,     ///< Lanes or waves at different collectives, or gone while others wait.
  uninitialised,  ///< Shared memory read that this block has not written.
  shared_bounds,  ///< Outside the field of shared memory that the access named.
  global_bounds,  ///< Outside a tensor.
  not_uniform,    ///< first_lane() of a value that differs between the lanes.
};
std::string_view to_string(AlarmKind kind);

struct Alarm {
  AlarmKind kind;
  std::string sentence;
};

/// Alarms of one launch, from all its threads: the first few in words, all of them counted.
class Alarms {
 public:
  void add(AlarmKind kind, std::string sentence);
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] bool has(AlarmKind kind) const;
  [[nodiscard]] const std::vector<Alarm>& first() const { return first_; }
  /// One sentence for all: the count and the first of them; empty if there are none.
  [[nodiscard]] std::string summary() const;

 private:
  std::mutex mutex_;
  std::int64_t count_ = 0;
  std::vector<Alarm> first_;  ///< At most a few of each kind.
};

}  // namespace fathom::hip::host
