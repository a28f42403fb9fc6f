// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/host/alarm.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fathom::hip::host {

/// A part of the block's shared memory that the kernel has given a name.
struct Field {
  int begin;
  int bytes;
  const char* name;
};

/// Who accesses, and when: only barriers advance the block's epoch, only wave_sync() the wave's.
struct Accessor {
  int wave;
  int lane;
  std::uint32_t block_epoch;
  std::uint32_t wave_epoch;
};

/// The shared memory of one block, with a shadow of every 4-byte word: who wrote it last and who
/// has read it since, so that a missing barrier shows whatever the order of execution.
class SharedMemory {
 public:
  /// A new block: all words unwritten, the bytes NaN in every dtype.
  void begin_block(int bytes, std::uint32_t block_epoch);
  /// Where to read; a zero if the access lies outside its field.
  const std::byte* read(const Field& field, int offset, int bytes, const Accessor& who,
                        Alarms& alarms);
  /// Where to write; somewhere harmless if the access lies outside its field.
  std::byte* write(const Field& field, int offset, int bytes, const Accessor& who, Alarms& alarms);

 private:
  static constexpr int word = 4;
  struct Shadow {
    std::uint32_t written_block = 0;  ///< Epochs; 0 is before every block.
    std::uint32_t written_wave = 0;
    std::uint32_t read_block = 0;
    std::uint32_t read_wave = 0;
    std::uint16_t reading_waves = 0;  ///< Bits, of the epoch read_block.
    std::int16_t writer = -1;         ///< wave * 64 + lane
    std::int16_t reader = -1;  ///< The same, or `several` lanes of the wave of reading_waves.
  };
  static constexpr std::int16_t several = -2;

  static std::int16_t name_of(const Accessor& who) {
    return static_cast<std::int16_t>(who.wave * 64 + who.lane);
  }
  [[nodiscard]] bool is_inside(const Field& field, int offset, int bytes) const {
    return offset >= 0 && offset % word == 0 && offset + bytes <= field.bytes &&
           field.begin + field.bytes <= static_cast<int>(bytes_.size());
  }
  void outside(const Field& field, int offset, int bytes, const Accessor& who,
               Alarms& alarms) const;
  void race(const Field& field, int at, const char* what, int other, const Accessor& who,
            Alarms& alarms) const;
  [[nodiscard]] bool meets_writer(const Shadow& shadow, const Accessor& who) const;
  [[nodiscard]] bool meets_reader(const Shadow& shadow, const Accessor& who) const;

  std::vector<std::byte> bytes_;
  std::vector<Shadow> shadow_;
  std::uint32_t first_epoch_ = 1;
  std::byte harmless_[64] = {};
};

}  // namespace fathom::hip::host
