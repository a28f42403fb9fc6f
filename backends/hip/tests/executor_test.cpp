// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platform/platform.h"

#include <gtest/gtest.h>

#include <numeric>

namespace fathom::hip {
namespace {

using host::AlarmKind;

constexpr int lanes = 64;
constexpr int waves = 2;
const Shared numbers{0, 4 * lanes* waves, "numbers"};

int thread() {
  return wave_id() * lanes + lane_id();
}

/// Runs a toy kernel of one block; what the executor had to say of it.
void run(const std::function<void()>& lane, host::Alarms& alarms, std::uint64_t seed = 0,
         int blocks = 1) {
  host::run({blocks, 1, waves, lanes, numbers.bytes}, {seed, 1}, lane, alarms);
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool knows_fibres = false;
#else
constexpr bool knows_fibres = true;
#endif
constexpr const char* unwound =
    "AddressSanitizer does not know the stacks of fibres that are unwound, as after a divergence";

void expect_alarm(AlarmKind kind, const std::function<void()>& lane) {
  if (kind == AlarmKind::divergence && !knows_fibres) GTEST_SKIP() << unwound;
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    host::Alarms alarms;
    run(lane, alarms, seed);
    EXPECT_TRUE(alarms.has(kind)) << to_string(kind) << ", seed " << seed << ": "
                                  << alarms.summary();
  }
}

// Three kernels with nothing wrong.

TEST(ExecutorTest, WavesThatMeetAtABarrierExchangeNumbers) {
  for (const std::uint64_t seed : {0, 1, 2}) {
    std::vector<float> seen(lanes * waves);
    host::Alarms alarms;
    run(
        [&] {
          for (int turn = 0; turn < 3; ++turn) {
            store_shared_float(numbers, 4 * thread(), static_cast<float>(turn * thread()));
            barrier();
            const int other = lanes * waves - 1 - thread();
            seen[static_cast<std::size_t>(thread())] = load_shared_floats<1>(numbers, 4 * other)[0];
            barrier();
          }
        },
        alarms, seed);
    EXPECT_EQ(alarms.summary(), "");
    EXPECT_EQ(seen[1], 2 * (lanes * waves - 2));
  }
}

TEST(ExecutorTest, LanesOfAWaveExchangeNumbersAfterASync) {
  host::Alarms alarms;
  run(
      [] {
        store_shared_float(numbers, 4 * thread(), 1);
        host::wave_sync({__FILE__, __LINE__});
        const int other = wave_id() * lanes + (lane_id() + 1) % lanes;
        EXPECT_EQ(load_shared_floats<1>(numbers, 4 * other)[0], 1);
      },
      alarms, 5);
  EXPECT_EQ(alarms.summary(), "");
}

TEST(ExecutorTest, CollectivesSeeAllLanesOfTheirWave) {
  host::Alarms alarms;
  run(
      [] {
        EXPECT_TRUE(any(lane_id() == 17));
        EXPECT_EQ(any(wave_id() == 1), wave_id() == 1);
        EXPECT_EQ(first_lane(wave_id() + 5), wave_id() + 5);
        float sum[1] = {1};
        reduce_row<Mfma<16>, Sum>(sum);
        EXPECT_EQ(sum[0], 4);
        float most[1] = {static_cast<float>(lane_id())};
        reduce_row<Mfma<32>, Maximum>(most);
        EXPECT_EQ(most[0], lane_id() % 32 + 32);
      },
      alarms, 1, 3);
  EXPECT_EQ(alarms.summary(), "");
}

TEST(ExecutorTest, LanesMayReturnFromDifferentPlacesWhereNobodyWaits) {
  host::Alarms alarms;
  run(
      [] {
        if (wave_id() == 1) (void)any(true);
        if (lane_id() > 5) return;
      },
      alarms);
  EXPECT_EQ(alarms.summary(), "");
}

// Kernels with one fault each.

TEST(ExecutorTest, ReportsAMissingBarrierInEveryOrderOfWaves) {
  expect_alarm(AlarmKind::race, [] {
    store_shared_float(numbers, 4 * thread(), 1);
    if (wave_id() == 0) (void)load_shared_floats<1>(numbers, 4 * lane_id())[0];
    (void)load_shared_floats<1>(numbers, 4 * lane_id())[0];
  });
}

TEST(ExecutorTest, ReportsATileThatIsOverwrittenWhileOthersReadIt) {
  expect_alarm(AlarmKind::race, [] {
    store_shared_float(numbers, 4 * thread(), 1);
    barrier();
    (void)load_shared_floats<1>(numbers, 4 * (lanes * waves - 1 - thread()));
    store_shared_float(numbers, 4 * thread(), 2);
  });
}

TEST(ExecutorTest, ReportsLanesOfOneWaveThatDoNotSync) {
  expect_alarm(AlarmKind::race, [] {
    store_shared_float(numbers, 4 * thread(), 1);
    (void)any(true);  // No ordering of memory.
    const int other = wave_id() * lanes + (lane_id() + 1) % lanes;
    (void)load_shared_floats<1>(numbers, 4 * other);
  });
}

TEST(ExecutorTest, ReportsTwoWritersOfOneWord) {
  expect_alarm(AlarmKind::race, [] { store_shared_float(numbers, 4 * lane_id(), 1); });
}

TEST(ExecutorTest, ReportsAReadOfWhatTheBlockHasNotWritten) {
  host::Alarms alarms;
  const auto lane = [] {
    // The first block writes all; what it left is not the second one's.
    if (block_x() == 0 || lane_id() != 3) store_shared_float(numbers, 4 * thread(), 1);
    barrier();
    const float number = load_shared_floats<1>(numbers, 4 * thread())[0];
    EXPECT_EQ(std::isnan(number), block_x() == 1 && lane_id() == 3);
  };
  run(lane, alarms, 0, 2);
  EXPECT_EQ(alarms.count(), 2);
  EXPECT_TRUE(alarms.has(AlarmKind::uninitialised));
}

TEST(ExecutorTest, ReportsAnAccessOutsideItsFieldThoughInsideTheArena) {
  expect_alarm(AlarmKind::shared_bounds, [] {
    const Shared half{0, numbers.bytes / 2, "half"};
    store_shared_float(half, 4 * thread(), 1);
  });
}

TEST(ExecutorTest, ReportsAnAccessOutsideATensor) {
  std::vector<float> tensor(lanes * waves - 1);
  const Global<float> global{tensor.data(), static_cast<std::int64_t>(tensor.size()), "tensor"};
  expect_alarm(AlarmKind::global_bounds, [global] { store_one(global, thread(), 1); });
  expect_alarm(AlarmKind::global_bounds, [global] { (void)load_one(global, thread() - 1); });
}

TEST(ExecutorTest, ReportsAWaveThatLeavesBeforeABarrier) {
  expect_alarm(AlarmKind::divergence, [] {
    if (wave_id() == 1) return;
    barrier();
  });
}

TEST(ExecutorTest, ReportsWavesAtDifferentBarriers) {
  expect_alarm(AlarmKind::divergence, [] {
    if (wave_id() == 1) {
      barrier();
    } else {
      barrier();
    }
  });
}

TEST(ExecutorTest, ReportsLanesThatPartInsideAWave) {
  expect_alarm(AlarmKind::divergence, [] {
    if (lane_id() < 7) (void)any(true);
    barrier();
  });
}

TEST(ExecutorTest, ReportsAFirstLaneThatDoesNotSpeakForAll) {
  expect_alarm(AlarmKind::not_uniform, [] { (void)first_lane(lane_id()); });
}

TEST(ExecutorTest, RunsOnAfterABlockThatDiverged) {
  if (!knows_fibres) GTEST_SKIP() << unwound;
  host::Alarms alarms;
  std::atomic<int> finished = 0;
  run(
      [&] {
        const std::vector<int> owned(10);  // Unwound with its fibre.
        if (block_x() == 0 && wave_id() == 1) return;
        barrier();
        ++finished;
      },
      alarms, 0, 3);
  EXPECT_EQ(alarms.count(), 1);
  EXPECT_EQ(finished, 2 * lanes * waves);
}

TEST(ExecutorTest, CountsEveryAlarmAndKeepsTheFirstInWords) {
  host::Alarms alarms;
  run([] { (void)load_shared_floats<1>(numbers, 4 * thread()); }, alarms);
  EXPECT_EQ(alarms.count(), lanes * waves);
  EXPECT_EQ(alarms.summary(),
            "128 alarms of the executor, the first: uninitialised: wave 0 lane 0 reads byte 0 of "
            "numbers, which this block has not written");
}

// Numbers.

TEST(HostNumbersTest, WidensAndRoundsEveryNumber) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float bf16 = Bf16::widen(bits);
    if (!std::isnan(bf16)) {
      EXPECT_EQ(Bf16::round(bf16), bits);
    }
    const float half = Half::widen(bits);
    if (!std::isnan(half)) {
      EXPECT_EQ(Half::round(half), bits);
    }
  }
  EXPECT_EQ(Half::widen(0x3c01), 1 + 0x1p-10F);
  EXPECT_EQ(Half::widen(0x0001), 0x1p-24F);
  EXPECT_EQ(Half::round(65519.9F), 0x7bff);
  EXPECT_EQ(Half::round(65520.0F), 0x7c00);
  EXPECT_EQ(Half::round(0x1p-25F), 0);
  EXPECT_EQ(Half::round(0x1.8p-25F), 1);
}

TEST(HostNumbersTest, RoundsTiesToEven) {
  EXPECT_EQ(Bf16::round(1 + 0x1p-8F), 0x3f80);
  EXPECT_EQ(Bf16::round(1 + 0x3p-8F), 0x3f82);
  EXPECT_EQ(Half::round(1 + 0x1p-11F), 0x3c00);
  EXPECT_EQ(Half::round(1 + 0x3p-11F), 0x3c02);
}

TEST(HostNumbersTest, RaisesTwoToAPowerWithinOneStep) {
  for (float x = -126; x < 127; x += 0.0137F) {
    const double want = std::exp2(static_cast<double>(x));
    EXPECT_NEAR(host::exp2(x) / want, 1, 0x1p-23) << x;
  }
  EXPECT_EQ(host::exp2(0), 1);
  EXPECT_EQ(host::exp2(-INFINITY), 0);
  EXPECT_EQ(host::exp2(-127), 0);
  EXPECT_EQ(host::exp2(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(host::exp2(NAN)));
}

}  // namespace
}  // namespace fathom::hip
