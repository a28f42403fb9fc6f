// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/device.h"
#include "backends/hip/platform/global.h"

#include <cstdint>
#include <type_traits>

// The platform's functions for AMD GPUs with matrix units (gfx90a, gfx942), as compiler builtins:
// no inline assembly, to which the compiler adds no wait states, and no runtime headers.
namespace fathom::hip {

inline constexpr bool on_host = false;

// Registers of one lane.

template <int N>
struct Words {
  uint32_t word[N];
  FATHOM_DEVICE uint32_t& operator[](int i) { return word[i]; }
  FATHOM_DEVICE const uint32_t& operator[](int i) const { return word[i]; }
};
template <int N>
struct Floats {
  float number[N];
  FATHOM_DEVICE float& operator[](int i) { return number[i]; }
  FATHOM_DEVICE const float& operator[](int i) const { return number[i]; }
};

using Half4 = _Float16 __attribute__((ext_vector_type(4)));
using Short4 = short __attribute__((ext_vector_type(4)));
template <int N>
using FloatVector = float __attribute__((ext_vector_type(N)));
template <int N>
using WordVector = uint32_t __attribute__((ext_vector_type(N)));

struct Bf16 {
  static constexpr bool is_half = false;
};
struct Half {
  static constexpr bool is_half = true;
};

FATHOM_DEVICE uint32_t low_halves(uint32_t a, uint32_t b) {
  return __builtin_amdgcn_perm(b, a, 0x05040100);
}
FATHOM_DEVICE uint32_t high_halves(uint32_t a, uint32_t b) {
  return __builtin_amdgcn_perm(b, a, 0x07060302);
}

/// Two numbers rounded to nearest even, the first in the low half. There is no instruction for
/// bf16 before gfx950.
template <typename Element>
FATHOM_DEVICE uint32_t round2(float low, float high) {
  if constexpr (Element::is_half) {
    const auto a = __builtin_bit_cast(uint16_t, static_cast<_Float16>(low));
    const auto b = __builtin_bit_cast(uint16_t, static_cast<_Float16>(high));
    return a | static_cast<uint32_t>(b) << 16;
  } else {
    const auto a = __builtin_bit_cast(uint32_t, low);
    const auto b = __builtin_bit_cast(uint32_t, high);
    return high_halves(a + 0x7fff + (a >> 16 & 1), b + 0x7fff + (b >> 16 & 1));
  }
}
template <typename Element>
FATHOM_DEVICE float low_number(uint32_t word) {
  if constexpr (Element::is_half) {
    return static_cast<float>(__builtin_bit_cast(_Float16, static_cast<uint16_t>(word)));
  } else {
    return __builtin_bit_cast(float, word << 16);
  }
}
template <typename Element>
FATHOM_DEVICE float high_number(uint32_t word) {
  return low_number<Element>(word >> 16);
}

FATHOM_DEVICE float exp2_fast(float x) {
#if __has_builtin(__builtin_amdgcn_exp2f)
  return __builtin_amdgcn_exp2f(x);
#else
  return __builtin_exp2f(x);  // clang 15 makes one v_exp_f32 of it.
#endif
}
FATHOM_DEVICE float log2_fast(float x) {
#if __has_builtin(__builtin_amdgcn_logf)
  return __builtin_amdgcn_logf(x);
#else
  return __builtin_log2f(x);
#endif
}
FATHOM_DEVICE float fused(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}

// Where a lane is.

FATHOM_DEVICE int first_lane(int value) {
  return __builtin_amdgcn_readfirstlane(value);
}
FATHOM_DEVICE int lane_id() {
  return static_cast<int>(__builtin_amdgcn_workitem_id_x() & 63);
}
FATHOM_DEVICE int wave_id() {
  return first_lane(static_cast<int>(__builtin_amdgcn_workitem_id_x() >> 6));
}
FATHOM_DEVICE int block_x() {
  return static_cast<int>(__builtin_amdgcn_workgroup_id_x());
}
FATHOM_DEVICE int block_y() {
  return static_cast<int>(__builtin_amdgcn_workgroup_id_y());
}
FATHOM_DEVICE void count_tile() {}

// Collectives.

FATHOM_DEVICE void barrier() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

FATHOM_DEVICE bool any(bool mine) {
  constexpr int not_equal = 33;
  return __builtin_amdgcn_uicmp(static_cast<unsigned>(mine), 0U, not_equal) != 0;
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
    const int partner = (lane_id() ^ bit) * 4;
    FATHOM_UNROLL
    for (int i = 0; i < N; ++i) {
      const int other = __builtin_amdgcn_ds_bpermute(partner, __builtin_bit_cast(int, numbers[i]));
      numbers[i] = Operation::of(numbers[i], __builtin_bit_cast(float, other));
    }
  }
}

/// One matrix instruction. Its A operand is R and its B operand is L: so placed, the registers of D
/// are those of L of the next product.
template <typename Shape, typename Element>
FATHOM_DEVICE void multiply_add_step(Floats<Shape::d_size>& d, const Words<2>& l,
                                     const Words<2>& r) {
  auto sums = __builtin_bit_cast(FloatVector<Shape::d_size>, d);
  if constexpr (Element::is_half) {
    const auto a = __builtin_bit_cast(Half4, r);
    const auto b = __builtin_bit_cast(Half4, l);
    if constexpr (Shape::x == 32) {
      sums = __builtin_amdgcn_mfma_f32_32x32x8f16(a, b, sums, 0, 0, 0);
    } else {
      sums = __builtin_amdgcn_mfma_f32_16x16x16f16(a, b, sums, 0, 0, 0);
    }
  } else {
    const auto a = __builtin_bit_cast(Short4, r);
    const auto b = __builtin_bit_cast(Short4, l);
    if constexpr (Shape::x == 32) {
      sums = __builtin_amdgcn_mfma_f32_32x32x8bf16_1k(a, b, sums, 0, 0, 0);
    } else {
      sums = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(a, b, sums, 0, 0, 0);
    }
  }
  d = __builtin_bit_cast(Floats<Shape::d_size>, sums);
}

template <typename Shape, typename Element, int Steps, int Tiles>
FATHOM_DEVICE void multiply_add(Floats<Shape::d_size>* d, const Words<2>* l, const Words<2>* r) {
  FATHOM_UNROLL
  for (int tile = 0; tile < Tiles; ++tile) {
    FATHOM_UNROLL
    for (int step = 0; step < Steps; ++step) {
      multiply_add_step<Shape, Element>(d[tile], l[step], r[tile * Steps + step]);
    }
  }
}

// Shared memory.

#define FATHOM_SHARED __attribute__((address_space(3)))
#define FATHOM_GLOBAL __attribute__((address_space(1)))

struct Arena {
  FATHOM_SHARED char* base;
};
struct Shared {
  FATHOM_SHARED char* base;
};

FATHOM_DEVICE Shared shared_field(Arena arena, int begin, int /*bytes*/, const char* /*name*/) {
  return {arena.base + begin};
}
template <int N>
FATHOM_DEVICE Words<N> load_shared(const Shared& field, int offset) {
  const auto vector = *reinterpret_cast<FATHOM_SHARED const WordVector<N>*>(field.base + offset);
  return __builtin_bit_cast(Words<N>, vector);
}
template <int N>
FATHOM_DEVICE void store_shared(const Shared& field, int offset, const Words<N>& words) {
  *reinterpret_cast<FATHOM_SHARED WordVector<N>*>(field.base + offset) =
      __builtin_bit_cast(WordVector<N>, words);
}
template <int N>
FATHOM_DEVICE Floats<N> load_shared_floats(const Shared& field, int offset) {
  return __builtin_bit_cast(Floats<N>, load_shared<N>(field, offset));
}
FATHOM_DEVICE void store_shared_float(const Shared& field, int offset, float number) {
  *reinterpret_cast<FATHOM_SHARED float*>(field.base + offset) = number;
}

// Global memory.

FATHOM_DEVICE Words<4> load_global(const Global<const uint16_t>& array, int64_t at, int offset) {
  const auto* from =
      (FATHOM_GLOBAL const WordVector<4>*)((FATHOM_GLOBAL const char*)(array.data + at) +
                                           static_cast<uint32_t>(offset) * 2U);
  return __builtin_bit_cast(Words<4>, *from);
}
template <int N>
FATHOM_DEVICE void store_global(const Global<uint16_t>& array, int64_t at, const Words<N>& words) {
  auto* to = (FATHOM_GLOBAL WordVector<N>*)(array.data + at);
  *to = __builtin_bit_cast(WordVector<N>, words);
}
template <typename T>
FATHOM_DEVICE std::remove_const_t<T> load_one(const Global<T>& array, int64_t at) {
  return *(FATHOM_GLOBAL const T*)(array.data + at);
}
FATHOM_DEVICE void store_one(const Global<float>& array, int64_t at, float number) {
  *(FATHOM_GLOBAL float*)(array.data + at) = number;
}

}  // namespace fathom::hip
