// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platform/host/executor.h"

#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>
#include <boost/context/stack_context.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace fathom::hip::host {
namespace {

namespace context = boost::context;

/// Room for the registers of a lane, which are locals of its fibre. Stacks lie a few cache lines
/// apart beyond a power of two: the same local of all lanes would fall into one set of the cache.
constexpr std::size_t stack_bytes = 64 * 1024;
constexpr std::size_t stack_stride = stack_bytes + std::size_t{17} * 64;

/// The stacks belong to the Engine; nothing to give back.
struct NoAllocator {
  static void deallocate(context::stack_context& /*stack*/) {}
};

std::string to_text(const Site& site) {
  const std::string path = site.file;
  return path.substr(path.find_last_of('/') + 1) + ":" + std::to_string(site.line);
}

std::string to_text(const Lane& lane) {
  const std::string name =
      "wave " + std::to_string(lane.wave) + " lane " + std::to_string(lane.lane);
  switch (lane.wants) {
    case Lane::Wants::end: return name + " has returned";
    case Lane::Wants::barrier: return name + " waits at the barrier of " + to_text(lane.site);
    default: return name + " waits in " + to_text(lane.site);
  }
}

bool waits_for_the_same(const Lane& a, const Lane& b) {
  if (a.wants == Lane::Wants::end) return b.wants == Lane::Wants::end;
  return a.wants == b.wants && a.site == b.site && a.perform == b.perform;
}

}  // namespace

/// The fibres of one OS thread. They are kept from block to block and from launch to launch.
class Engine {
 public:
  void begin_launch(const Launch& launch, std::uint64_t seed, const std::function<void()>& body,
                    Alarms& into);
  void run_block(int x, int y);
  void suspend();

  Place place;
  Alarms* alarms = nullptr;
  SharedMemory shared;
  [[nodiscard]] Accessor accessor() const {
    return {current->wave, current->lane, block_epoch_,
            wave_epochs_[static_cast<std::size_t>(current->wave)]};
  }

 private:
  void make_fibre(std::size_t index);
  void resume(Lane& lane);
  /// Runs a wave up to a barrier or its end; false if its lanes diverged.
  bool run_wave(int wave);
  bool agree(std::span<Lane> lanes, std::size_t step);
  std::vector<int> order(int count);

  Launch launch_;
  const std::function<void()>* body_ = nullptr;
  std::mt19937_64 random_;
  bool shuffled_ = false;
  std::unique_ptr<std::byte[]> stacks_;
  std::vector<Lane> lanes_;
  std::vector<context::fiber> fibres_;
  context::fiber scheduler_;
  std::uint32_t block_epoch_ = 0;
  std::vector<std::uint32_t> wave_epochs_;
};

void Engine::begin_launch(const Launch& launch, std::uint64_t seed,
                          const std::function<void()>& body, Alarms& into) {
  launch_ = launch;
  body_ = &body;
  alarms = &into;
  shuffled_ = seed != 0;
  random_.seed(seed);
  const auto count = static_cast<std::size_t>(launch.waves * launch.wave_size);
  if (lanes_.size() < count) {
    fibres_.clear();
    lanes_.assign(count, {});
    stacks_ = std::make_unique_for_overwrite<std::byte[]>(count * stack_stride);
    fibres_.resize(count);
    for (std::size_t i = 0; i < count; ++i) make_fibre(i);
  }
  for (std::size_t i = 0; i < count; ++i) {
    lanes_[i].engine = this;
    lanes_[i].wave = static_cast<int>(i) / launch.wave_size;
    lanes_[i].lane = static_cast<int>(i) % launch.wave_size;
  }
  wave_epochs_.assign(static_cast<std::size_t>(launch.waves), 0);
  place.waves = launch.waves;
  place.wave_size = launch.wave_size;
}

void Engine::make_fibre(std::size_t index) {
  fibres_[index] = {};  // Unwinds what it held, on the stack that the new one takes over.
  context::stack_context stack;
  stack.size = stack_bytes;
  stack.sp = stacks_.get() + index * stack_stride + stack_bytes;
  const context::preallocated memory(stack.sp, stack.size, stack);
  fibres_[index] =
      context::fiber(std::allocator_arg, memory, NoAllocator{}, [this, index](context::fiber&& up) {
        scheduler_ = std::move(up);
        while (true) {
          (*body_)();
          lanes_[index].wants = Lane::Wants::end;
          suspend();
        }
        return std::move(scheduler_);
      });
}

void Engine::suspend() {
  scheduler_ = std::move(scheduler_).resume();
}

void Engine::resume(Lane& lane) {
  auto& fibre = fibres_[static_cast<std::size_t>(&lane - lanes_.data())];
  current = &lane;
  fibre = std::move(fibre).resume();
}

std::vector<int> Engine::order(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = i;
  if (shuffled_) std::shuffle(numbers.begin(), numbers.end(), random_);
  return numbers;
}

/// Whether every step-th lane wants what the first one wants; if not, says who differs.
bool Engine::agree(std::span<Lane> lanes, std::size_t step) {
  for (std::size_t i = step; i < lanes.size(); i += step) {
    if (waits_for_the_same(lanes[0], lanes[i])) continue;
    alarms->add(AlarmKind::divergence, to_text(lanes[0]) + ", but " + to_text(lanes[i]));
    return false;
  }
  return true;
}

bool Engine::run_wave(int wave) {
  const auto size = static_cast<std::size_t>(launch_.wave_size);
  const std::span<Lane> lanes(lanes_.data() + static_cast<std::size_t>(wave) * size, size);
  const std::vector<int> turns = order(launch_.wave_size);
  while (true) {
    for (const int lane : turns) resume(lanes[static_cast<std::size_t>(lane)]);
    if (!agree(lanes, 1)) return false;
    const Lane::Wants wants = lanes[0].wants;
    if (wants == Lane::Wants::barrier || wants == Lane::Wants::end) return true;
    if (wants == Lane::Wants::wave_sync) ++wave_epochs_[static_cast<std::size_t>(wave)];
    if (wants == Lane::Wants::collective) lanes[0].perform(lanes, *alarms);
  }
}

void Engine::run_block(int x, int y) {
  place.block_x = x;
  place.block_y = y;
  shared.begin_block(launch_.shared_bytes, ++block_epoch_);
  const auto size = static_cast<std::size_t>(launch_.wave_size);
  const std::span<Lane> lanes(lanes_.data(), static_cast<std::size_t>(launch_.waves) * size);
  while (true) {
    bool together = true;
    for (const int wave : order(launch_.waves)) together = run_wave(wave) && together;
    together = together && agree(lanes, size);
    if (!together) {
      // The lanes wait for what will not come: unwind them and begin the next block with new ones.
      for (std::size_t i = 0; i < lanes.size(); ++i) make_fibre(i);
      return;
    }
    if (lanes[0].wants == Lane::Wants::end) return;
    ++block_epoch_;
    for (std::uint32_t& epoch : wave_epochs_) ++epoch;
  }
}

namespace {

/// Engines that no launch is using.
class EnginePool {
 public:
  std::unique_ptr<Engine> take() {
    const std::lock_guard lock(mutex_);
    if (engines_.empty()) return std::make_unique<Engine>();
    std::unique_ptr<Engine> engine = std::move(engines_.back());
    engines_.pop_back();
    return engine;
  }
  void give(std::unique_ptr<Engine> engine) {
    const std::lock_guard lock(mutex_);
    engines_.push_back(std::move(engine));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Engine>> engines_;
};

EnginePool& pool() {
  static EnginePool engines;
  return engines;
}

}  // namespace

void run(const Launch& launch, const Schedule& schedule, const std::function<void()>& body,
         Alarms& into) {
  const int blocks = launch.grid_x * launch.grid_y;
  std::vector<int> order(static_cast<std::size_t>(blocks));
  for (int i = 0; i < blocks; ++i) order[static_cast<std::size_t>(i)] = i;
  if (schedule.seed != 0) {
    std::mt19937_64 random(schedule.seed);
    std::shuffle(order.begin(), order.end(), random);
  }
  std::atomic<int> next = 0;
  const auto work = [&] {
    std::unique_ptr<Engine> engine = pool().take();
    engine->begin_launch(launch, schedule.seed, body, into);
    for (int i = next++; i < blocks; i = next++) {
      const int block = order[static_cast<std::size_t>(i)];
      engine->run_block(block % launch.grid_x, block / launch.grid_x);
    }
    pool().give(std::move(engine));
  };
  std::vector<std::jthread> threads;
  for (int i = 1; i < std::min(schedule.threads, blocks); ++i) threads.emplace_back(work);
  work();
}

const Place& place() {
  return current->engine->place;
}

Alarms& alarms() {
  return *current->engine->alarms;
}

namespace {

void wait(Lane::Wants wants, Perform perform, void* operands, const Site& site) {
  Lane& lane = *current;
  lane.wants = wants;
  lane.perform = perform;
  lane.operands = operands;
  lane.site = site;
  lane.engine->suspend();
}

}  // namespace

void collective(Perform perform, void* operands, const Site& site) {
  wait(Lane::Wants::collective, perform, operands, site);
}

void barrier(const Site& site) {
  wait(Lane::Wants::barrier, nullptr, nullptr, site);
}

void wave_sync(const Site& site) {
  wait(Lane::Wants::wave_sync, nullptr, nullptr, site);
}

const std::byte* read_shared(const Field& field, int offset, int bytes) {
  Engine& engine = *current->engine;
  return engine.shared.read(field, offset, bytes, engine.accessor(), *engine.alarms);
}

std::byte* write_shared(const Field& field, int offset, int bytes) {
  Engine& engine = *current->engine;
  return engine.shared.write(field, offset, bytes, engine.accessor(), *engine.alarms);
}

}  // namespace fathom::hip::host
