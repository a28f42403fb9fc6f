// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/global.h"
#include "backends/hip/platform/host/executor.h"
#include "backends/hip/platform/host/matrix.h"
#include "backends/hip/platform/host/numbers.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

// The platform's functions for the CPU: what amd.h and nvidia.h say in builtins, the executor does.
namespace fathom::hip {

inline constexpr bool on_host = true;

// Registers of one lane.

template <int N>
struct Words {
  std::uint32_t word[N];
  std::uint32_t& operator[](int i) { return word[i]; }
  const std::uint32_t& operator[](int i) const { return word[i]; }
};
template <int N>
struct Floats {
  float number[N];
  float& operator[](int i) { return number[i]; }
  const float& operator[](int i) const { return number[i]; }
};

using Bf16 = host::Bf16;
using Half = host::Half;

/// Two numbers rounded to nearest even, the first in the low half.
template <typename Element>
std::uint32_t round2(float low, float high) {
  return Element::round(low) | Element::round(high) << 16;
}
template <typename Element>
float low_number(std::uint32_t word) {
  return Element::widen(word & 0xffff);
}
template <typename Element>
float high_number(std::uint32_t word) {
  return Element::widen(word >> 16);
}
inline std::uint32_t low_halves(std::uint32_t a, std::uint32_t b) {
  return (a & 0xffff) | b << 16;
}
inline std::uint32_t high_halves(std::uint32_t a, std::uint32_t b) {
  return a >> 16 | (b & 0xffff0000);
}

inline float exp2_fast(float x) {
  return host::exp2(x);
}
inline float log2_fast(float x) {
  return std::log2(x);
}
inline float fused(float a, float b, float c) {
  return std::fma(a, b, c);
}

// Where a lane is.

inline int lane_id() {
  return host::current->lane;
}
inline int wave_id() {
  return host::current->wave;
}
inline int block_x() {
  return host::place().block_x;
}
inline int block_y() {
  return host::place().block_y;
}

// Collectives.

inline void barrier(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::barrier({file, line});
}

inline bool any(bool mine, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::collective(
      [](std::span<host::Lane> lanes, host::Alarms& /*alarms*/) {
        bool all = false;
        for (const host::Lane& lane : lanes) all = all || *static_cast<bool*>(lane.operands);
        for (const host::Lane& lane : lanes) *static_cast<bool*>(lane.operands) = all;
      },
      &mine, {file, line});
  return mine;
}

/// A value that is the same in all lanes, where the compiler can see it.
inline int first_lane(int value, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::collective(
      [](std::span<host::Lane> lanes, host::Alarms& alarms) {
        for (const host::Lane& lane : lanes) {
          if (*static_cast<int*>(lane.operands) == *static_cast<int*>(lanes[0].operands)) continue;
          alarms.add(host::AlarmKind::not_uniform, "line " + std::to_string(lane.site.line) +
                                                       " takes the first lane's value, but lane " +
                                                       std::to_string(lane.lane) + " differs");
          return;
        }
      },
      &value, {file, line});
  return value;
}

struct Maximum {
  static float of(float a, float b) { return a > b ? a : b; }
};
struct Sum {
  static float of(float a, float b) { return a + b; }
};

/// Combines each number over the lanes that share a row of D, by exchange with ever farther
/// partners; every one of these lanes has the result.
template <typename Shape, typename Operation, int N>
void reduce_row(float (&numbers)[N], const char* file = __builtin_FILE(),
                int line = __builtin_LINE()) {
  host::collective(
      [](std::span<host::Lane> lanes, host::Alarms& /*alarms*/) {
        for (int bit = Shape::first_partner; bit <= Shape::last_partner; bit *= 2) {
          for (int lane = 0; lane < Shape::wave; ++lane) {
            if ((lane & bit) != 0) continue;
            auto* a = static_cast<float*>(lanes[static_cast<std::size_t>(lane)].operands);
            auto* b = static_cast<float*>(lanes[static_cast<std::size_t>(lane | bit)].operands);
            for (int i = 0; i < N; ++i) a[i] = b[i] = Operation::of(a[i], b[i]);
          }
        }
      },
      numbers, {file, line});
}

/// D += L R^T for `Tiles` tiles of y that share L: `Steps` steps of k, r[tile * Steps + step].
template <typename Shape, typename Element, int Steps, int Tiles>
void multiply_add(Floats<Shape::d_size>* d, const Words<Shape::l_size / 2>* l,
                  const Words<Shape::r_size / 2>* r, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  host::MatrixOperands operands{d->number, l->word, r->word};
  host::collective(&host::perform_product<Shape, Element, Steps, Tiles>, &operands, {file, line});
}

/// For tests: every block counts the inner tiles that it computes.
inline void count_tile() {
  if (lane_id() == 0 && wave_id() == 0) host::tiles_computed.fetch_add(1);
}

// Shared memory.

struct Arena {};
using Shared = host::Field;

inline Shared shared_field(Arena /*arena*/, int begin, int bytes, const char* name) {
  return {begin, bytes, name};
}
template <int N>
Words<N> load_shared(const Shared& field, int offset) {
  Words<N> words;
  std::memcpy(&words, host::read_shared(field, offset, sizeof words), sizeof words);
  return words;
}
template <int N>
void store_shared(const Shared& field, int offset, const Words<N>& words) {
  std::memcpy(host::write_shared(field, offset, sizeof words), &words, sizeof words);
}
template <int N>
Floats<N> load_shared_floats(const Shared& field, int offset) {
  Floats<N> numbers;
  std::memcpy(&numbers, host::read_shared(field, offset, sizeof numbers), sizeof numbers);
  return numbers;
}
inline void store_shared_float(const Shared& field, int offset, float number) {
  std::memcpy(host::write_shared(field, offset, sizeof number), &number, sizeof number);
}

/// Count 8 x 8 matrices, as ldmatrix loads them: lane 8 i + j says where row j of matrix i lies;
/// each lane then holds elements 2 (lane % 4) and its neighbour of row lane / 4 of every matrix.
template <int Count, typename OffsetOf>
Words<Count> load_matrices(const Shared& field, OffsetOf offset_of) {
  Words<Count> words;
  for (int i = 0; i < Count; ++i) {
    const int row = offset_of(8 * i + lane_id() / 4);
    words[i] = load_shared<1>(field, row + 4 * (lane_id() % 4))[0];
  }
  return words;
}

// Global memory.

/// Whether elements at .. at + count lie inside; an alarm if not.
template <typename T>
bool is_inside(const Global<T>& array, std::int64_t at, int count) {
  if (at >= 0 && at + count <= array.size) [[likely]]
    return true;
  host::alarms().add(host::AlarmKind::global_bounds,
                     "lane " + std::to_string(lane_id()) + " of wave " + std::to_string(wave_id()) +
                         " accesses element " + std::to_string(at) + " of " + array.name +
                         ", which has " + std::to_string(array.size));
  return false;
}

/// Eight 16-bit elements; `at` is the same in all lanes of a wave, `offset` is the lane's own.
inline Words<4> load_global(const Global<const std::uint16_t>& array, std::int64_t at, int offset) {
  Words<4> words{};
  at += offset;
  if (is_inside(array, at, 8)) std::memcpy(&words, array.data + at, sizeof words);
  return words;
}
template <int N>
void store_global(const Global<std::uint16_t>& array, std::int64_t at, const Words<N>& words) {
  if (is_inside(array, at, 2 * N)) std::memcpy(array.data + at, &words, sizeof words);
}
template <typename T>
std::remove_const_t<T> load_one(const Global<T>& array, std::int64_t at) {
  return is_inside(array, at, 1) ? array.data[at] : T{};
}
inline void store_one(const Global<float>& array, std::int64_t at, float number) {
  if (is_inside(array, at, 1)) array.data[at] = number;
}

}  // namespace fathom::hip
