// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/host/alarm.h"
#include "backends/hip/platform/host/shared_memory.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>

namespace fathom::hip::host {

// Runs a kernel as a GPU would, on the CPU: every lane is a fibre with a stack of its own, so lane
// code stays plain C++. A lane runs until it meets a collective (a product, a shuffle, a barrier);
// when all lanes of its wave, or all waves of its block, have arrived, the collective is done once
// for all of them. Waves run one after another between barriers, in an order that a seed decides.

/// Where in the kernel's source a collective was called.
struct Site {
  const char* file = "";
  int line = 0;
  bool operator==(const Site&) const = default;
};

struct Lane;
/// Does a collective for all lanes of a wave: their operands lie on their stacks.
using Perform = void (*)(std::span<Lane> lanes, Alarms& alarms);

class Engine;

/// One lane of the block that is running.
struct Lane {
  Engine* engine = nullptr;
  int lane = 0;
  int wave = 0;
  enum class Wants : std::uint8_t { nothing, collective, wave_sync, barrier, end };
  Wants wants = Wants::nothing;
  Site site;
  Perform perform = nullptr;
  void* operands = nullptr;
};

struct Launch {
  int grid_x = 1;
  int grid_y = 1;
  int waves = 1;  ///< At most 16 a block.
  int wave_size = 64;
  int shared_bytes = 0;
};

struct Schedule {
  std::uint64_t seed = 0;  ///< 0: blocks, waves and lanes in order; else shuffled.
  int threads = 1;         ///< OS threads over blocks.
};

/// Runs `body` once for every lane of every block; what there is to report goes `into` alarms.
void run(const Launch& launch, const Schedule& schedule, const std::function<void()>& body,
         Alarms& into);

/// Inner tiles that all blocks have computed since the start of the program.
inline std::atomic<std::int64_t> tiles_computed = 0;

// What lane code sees while it runs.

/// The lane that runs on this OS thread.
inline thread_local constinit Lane* current = nullptr;

struct Place {
  int block_x = 0;
  int block_y = 0;
  int waves = 0;
  int wave_size = 0;
};
const Place& place();
Alarms& alarms();

/// Waits for the other lanes of the wave, does `perform` once, goes on.
void collective(Perform perform, void* operands, const Site& site);
void barrier(const Site& site);
void wave_sync(const Site& site);

const std::byte* read_shared(const Field& field, int offset, int bytes);
std::byte* write_shared(const Field& field, int offset, int bytes);

}  // namespace fathom::hip::host
