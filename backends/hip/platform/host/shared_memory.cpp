// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platform/host/shared_memory.h"

#include <algorithm>
#include <string>

namespace fathom::hip::host {
namespace {

std::string lane_name(int wave, int lane) {
  return "wave " + std::to_string(wave) + " lane " + std::to_string(lane);
}

}  // namespace

void SharedMemory::begin_block(int bytes, std::uint32_t block_epoch) {
  bytes_.assign(static_cast<std::size_t>(bytes), std::byte{0xff});
  // The shadow of earlier blocks holds older epochs and needs no clearing.
  shadow_.resize(static_cast<std::size_t>((bytes + word - 1) / word));
  first_epoch_ = block_epoch;
}

bool SharedMemory::meets_writer(const Shadow& shadow, const Accessor& who) const {
  if (shadow.written_block != who.block_epoch || shadow.writer == name_of(who)) return false;
  return shadow.writer / 64 != who.wave || shadow.written_wave == who.wave_epoch;
}

bool SharedMemory::meets_reader(const Shadow& shadow, const Accessor& who) const {
  if (shadow.read_block != who.block_epoch) return false;
  if ((shadow.reading_waves & ~(1U << who.wave)) != 0) return true;
  return shadow.read_wave == who.wave_epoch && shadow.reader != name_of(who);
}

const std::byte* SharedMemory::read(const Field& field, int offset, int bytes, const Accessor& who,
                                    Alarms& alarms) {
  if (!is_inside(field, offset, bytes)) [[unlikely]] {
    outside(field, offset, bytes, who, alarms);
    std::fill(std::begin(harmless_), std::end(harmless_), std::byte{0});
    return harmless_;
  }
  const int at = field.begin + offset;
  for (int i = at / word; i < (at + bytes) / word; ++i) {
    Shadow& shadow = shadow_[static_cast<std::size_t>(i)];
    if (shadow.written_block < first_epoch_) [[unlikely]] {
      alarms.add(AlarmKind::uninitialised, lane_name(who.wave, who.lane) + " reads byte " +
                                               std::to_string(i * word - field.begin) + " of " +
                                               field.name + ", which this block has not written");
    } else if (meets_writer(shadow, who)) [[unlikely]] {
      race(field, i * word, "reads", shadow.writer, who, alarms);
    }
    if (shadow.read_block != who.block_epoch) {
      shadow.read_block = who.block_epoch;
      shadow.reading_waves = 0;
      shadow.reader = -1;
    }
    const auto wave_bit = static_cast<std::uint16_t>(1U << who.wave);
    const bool same_time =
        (shadow.reading_waves & wave_bit) != 0 && shadow.read_wave == who.wave_epoch;
    shadow.reader = same_time && shadow.reader != name_of(who) ? several : name_of(who);
    shadow.reading_waves |= wave_bit;
    shadow.read_wave = who.wave_epoch;
  }
  return bytes_.data() + at;
}

std::byte* SharedMemory::write(const Field& field, int offset, int bytes, const Accessor& who,
                               Alarms& alarms) {
  if (!is_inside(field, offset, bytes)) [[unlikely]] {
    outside(field, offset, bytes, who, alarms);
    return harmless_;
  }
  const int at = field.begin + offset;
  for (int i = at / word; i < (at + bytes) / word; ++i) {
    Shadow& shadow = shadow_[static_cast<std::size_t>(i)];
    if (meets_writer(shadow, who)) [[unlikely]] {
      race(field, i * word, "writes", shadow.writer, who, alarms);
    } else if (meets_reader(shadow, who)) [[unlikely]] {
      race(field, i * word, "writes what others read:", shadow.reader, who, alarms);
    }
    shadow.written_block = who.block_epoch;
    shadow.written_wave = who.wave_epoch;
    shadow.writer = name_of(who);
  }
  return bytes_.data() + at;
}

void SharedMemory::outside(const Field& field, int offset, int bytes, const Accessor& who,
                           Alarms& alarms) const {
  alarms.add(AlarmKind::shared_bounds, lane_name(who.wave, who.lane) + " accesses bytes " +
                                           std::to_string(offset) + " to " +
                                           std::to_string(offset + bytes) + " of " + field.name +
                                           ", which has " + std::to_string(field.bytes));
}

void SharedMemory::race(const Field& field, int at, const char* what, int other,
                        const Accessor& who, Alarms& alarms) const {
  const std::string met = other < 0 ? "several lanes" : lane_name(other / 64, other % 64);
  alarms.add(AlarmKind::race, lane_name(who.wave, who.lane) + " " + what + " byte " +
                                  std::to_string(at - field.begin) + " of " + field.name +
                                  " and meets " + met + " with no barrier between");
}

}  // namespace fathom::hip::host
