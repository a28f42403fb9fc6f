// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/device.h"
#include "backends/hip/platform/global.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

// The platform's functions for NVIDIA GPUs from sm_80 on: mma.sync and ldmatrix.
namespace fathom::hip {

inline constexpr bool on_host = false;

// Registers of one lane.

template <int N>
struct alignas(4 * N) Words {
  uint32_t word[N];
  FATHOM_DEVICE uint32_t& operator[](int i) { return word[i]; }
  FATHOM_DEVICE const uint32_t& operator[](int i) const { return word[i]; }
};
template <int N>
struct alignas(4 * N) Floats {
  float number[N];
  FATHOM_DEVICE float& operator[](int i) { return number[i]; }
  FATHOM_DEVICE const float& operator[](int i) const { return number[i]; }
};

struct Bf16 {
  static constexpr bool is_half = false;
};
struct Half {
  static constexpr bool is_half = true;
};

FATHOM_DEVICE uint32_t low_halves(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, 0x5410);
}
FATHOM_DEVICE uint32_t high_halves(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, 0x7632);
}

/// Two numbers rounded to nearest even, the first in the low half.
template <typename Element>
FATHOM_DEVICE uint32_t round2(float low, float high) {
  uint32_t word;
  if constexpr (Element::is_half) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  }
  return word;
}
template <typename Element>
FATHOM_DEVICE float low_number(uint32_t word) {
  if constexpr (Element::is_half) {
    return __half2float(__ushort_as_half(static_cast<unsigned short>(word)));
  } else {
    return __uint_as_float(word << 16);
  }
}
template <typename Element>
FATHOM_DEVICE float high_number(uint32_t word) {
  return low_number<Element>(word >> 16);
}

FATHOM_DEVICE float exp2_fast(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
FATHOM_DEVICE float log2_fast(float x) {
  return __log2f(x);
}
FATHOM_DEVICE float fused(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}

// Where a lane is.

FATHOM_DEVICE int first_lane(int value) {
  return __shfl_sync(0xffffffff, value, 0);
}
FATHOM_DEVICE int lane_id() {
  return static_cast<int>(threadIdx.x % 32);
}
FATHOM_DEVICE int wave_id() {
  return first_lane(static_cast<int>(threadIdx.x / 32));
}
FATHOM_DEVICE int block_x() {
  return static_cast<int>(blockIdx.x);
}
FATHOM_DEVICE int block_y() {
  return static_cast<int>(blockIdx.y);
}
FATHOM_DEVICE void count_tile() {}

// Collectives.

FATHOM_DEVICE void barrier() {
  __syncthreads();
}
FATHOM_DEVICE bool any(bool mine) {
  return __any_sync(0xffffffff, mine) != 0;
}

struct Maximum {
  FATHOM_DEVICE static float of(float a, float b) { return a > b ? a : b; }
};
struct Sum {
  FATHOM_DEVICE static float of(float a, float b) { return a + b; }
};

/// Combines each number over the lanes that share a row of D.
template <typename Shape, typename Operation, int N>
FATHOM_DEVICE void reduce_row(float (&numbers)[N]) {
  FATHOM_UNROLL
  for (int bit = Shape::first_partner; bit <= Shape::last_partner; bit *= 2) {
    FATHOM_UNROLL
    for (int i = 0; i < N; ++i) {
      numbers[i] = Operation::of(numbers[i], __shfl_xor_sync(0xffffffff, numbers[i], bit));
    }
  }
}

template <typename Element>
FATHOM_DEVICE void multiply_add_step(Floats<4>& d, const Words<4>& l, const Words<2>& r) {
  if constexpr (Element::is_half) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(l[0]), "r"(l[1]), "r"(l[2]), "r"(l[3]), "r"(r[0]), "r"(r[1]));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
        "{%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(l[0]), "r"(l[1]), "r"(l[2]), "r"(l[3]), "r"(r[0]), "r"(r[1]));
  }
}

template <typename Shape, typename Element, int Steps, int Tiles>
FATHOM_DEVICE void multiply_add(Floats<4>* d, const Words<4>* l, const Words<2>* r) {
  FATHOM_UNROLL
  for (int tile = 0; tile < Tiles; ++tile) {
    FATHOM_UNROLL
    for (int step = 0; step < Steps; ++step) {
      multiply_add_step<Element>(d[tile], l[step], r[tile * Steps + step]);
    }
  }
}

// Shared memory.

struct Arena {
  char* base;
};
struct Shared {
  char* base;
};

FATHOM_DEVICE Shared shared_field(Arena arena, int begin, int /*bytes*/, const char* /*name*/) {
  return {arena.base + begin};
}
template <int N>
FATHOM_DEVICE Words<N> load_shared(const Shared& field, int offset) {
  return *reinterpret_cast<const Words<N>*>(field.base + offset);
}
template <int N>
FATHOM_DEVICE void store_shared(const Shared& field, int offset, const Words<N>& words) {
  *reinterpret_cast<Words<N>*>(field.base + offset) = words;
}
template <int N>
FATHOM_DEVICE Floats<N> load_shared_floats(const Shared& field, int offset) {
  return *reinterpret_cast<const Floats<N>*>(field.base + offset);
}
FATHOM_DEVICE void store_shared_float(const Shared& field, int offset, float number) {
  *reinterpret_cast<float*>(field.base + offset) = number;
}

/// Count 8 x 8 matrices (ldmatrix): lane 8 i + j says where row j of matrix i lies; each lane then
/// holds elements 2 (lane % 4) and its neighbour of row lane / 4 of every matrix.
template <int Count, typename OffsetOf>
FATHOM_DEVICE Words<Count> load_matrices(const Shared& field, OffsetOf offset_of) {
  const auto from =
      static_cast<uint32_t>(__cvta_generic_to_shared(field.base + offset_of(lane_id())));
  Words<Count> words;
  if constexpr (Count == 4) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(from)
                 : "memory");
  } else {
    static_assert(Count == 2);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(words[0]), "=r"(words[1])
                 : "r"(from)
                 : "memory");
  }
  return words;
}

// Global memory.

FATHOM_DEVICE Words<4> load_global(const Global<const uint16_t>& array, int64_t at, int offset) {
  return *reinterpret_cast<const Words<4>*>(array.data + at + offset);
}
template <int N>
FATHOM_DEVICE void store_global(const Global<uint16_t>& array, int64_t at, const Words<N>& words) {
  *reinterpret_cast<Words<N>*>(array.data + at) = words;
}
template <typename T>
FATHOM_DEVICE std::remove_const_t<T> load_one(const Global<T>& array, int64_t at) {
  return array.data[at];
}
FATHOM_DEVICE void store_one(const Global<float>& array, int64_t at, float number) {
  array.data[at] = number;
}

}  // namespace fathom::hip
