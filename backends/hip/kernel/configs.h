// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/geometry.h"
#include "backends/hip/kernel/key_gradient.h"
#include "backends/hip/kernel/query_gradient.h"
#include "backends/hip/kernel/row_data.h"

namespace fathom::hip {

// How each kernel is cut on each family of devices: the budgets of shared memory and registers
// decide, README.md has the table. Columns: waves, x tiles a wave, inner rows, operands that stay
// kept in shared memory, prefetch, slices.

/// AMD with matrix units (gfx90a, gfx942): wave 64, 64 KiB of shared memory, 512 registers.
struct Amd {
  static constexpr int wave = 64;
  template <typename E, int Dim>
  struct ForwardOf {
    using Type = Config<Mfma<32>, E, Dim, 4, 1, 64, false, true>;
  };
  template <typename E>
  struct ForwardOf<E, 256> {
    using Type = Config<Mfma<32>, E, 256, 4, 1, 32, false, false>;
  };

  template <typename E, int Dim>
  struct KeyGradientOf {
    using Type = Config<Mfma<32>, E, Dim, 4, 1, 32, false, false>;
  };
  template <typename E>
  struct KeyGradientOf<E, 256> {
    using Type = Config<Mfma<16>, E, 256, 4, 1, 16, false, false>;
  };

  template <typename E, int Dim>
  struct QueryGradientOf {
    using Type = Config<Mfma<32>, E, Dim, 4, 1, 32, false, false>;
  };
  template <typename E>
  struct QueryGradientOf<E, 256> {
    using Type = Config<Mfma<16>, E, 256, 4, 1, 32, false, false>;
  };
};

/// AMD by the 16 x 16 x 16 instruction throughout.
struct AmdNarrow {
  static constexpr int wave = 64;
  template <typename E, int Dim>
  struct ForwardOf {
    using Type = Config<Mfma<16>, E, Dim, 4, 2, 64, false, true>;
  };
  template <typename E, int Dim>
  struct KeyGradientOf {
    using Type = Config<Mfma<16>, E, Dim, 4, 1, 32, false, false>;
  };
  template <typename E, int Dim>
  struct QueryGradientOf {
    using Type = Config<Mfma<16>, E, Dim, 4, 2, 32, false, false>;
  };
};

/// NVIDIA (sm_80 and later): wave 32, up to 163 KiB of shared memory, 255 registers.
struct Nvidia {
  static constexpr int wave = 32;
  template <typename E, int Dim>
  struct ForwardOf {
    using Type = Config<MmaSync, E, Dim, 8, 1, 64, true, false>;
  };
  template <typename E>
  struct ForwardOf<E, 256> {
    using Type = Config<MmaSync, E, 256, 8, 1, 16, true, false>;
  };

  template <typename E, int Dim>
  struct KeyGradientOf {
    using Type = Config<MmaSync, E, Dim, 8, 1, 16, true, false>;
  };
  template <typename E>
  struct KeyGradientOf<E, 256> {
    using Type = Config<MmaSync, E, 256, 8, 1, 16, true, false, 4>;
  };

  template <typename E, int Dim>
  struct QueryGradientOf {
    using Type = Config<MmaSync, E, Dim, 8, 1, 32, true, false>;
  };
  template <typename E>
  struct QueryGradientOf<E, 256> {
    using Type = Config<MmaSync, E, 256, 8, 1, 16, true, false, 2>;
  };
};

inline constexpr int row_data_threads = 256;

template <typename C>
constexpr Geometry geometry_of(int shared_bytes) {
  return {C::rows, C::inner, C::slices, C::waves, C::Shape::wave, shared_bytes};
}

/// The kernels of one head dim and element type on a family of devices.
template <typename Device, typename Element, int Dim>
struct KernelsOf {
  using Forward = typename Device::template ForwardOf<Element, Dim>::Type;
  using KeyGradient = typename Device::template KeyGradientOf<Element, Dim>::Type;
  using QueryGradient = typename Device::template QueryGradientOf<Element, Dim>::Type;

  static constexpr ElementType element = Element::is_half ? ElementType::f16 : ElementType::bf16;
  static constexpr Geometry forward = geometry_of<Forward>(ForwardPlan<Forward>::bytes);
  static constexpr Geometry row_data = {row_data_threads, 0, 1, row_data_threads / Device::wave,
                                        Device::wave,     0};
  static constexpr Geometry key_gradient =
      geometry_of<KeyGradient>(KeyGradientPlan<KeyGradient>::bytes);
  static constexpr Geometry query_gradient =
      geometry_of<QueryGradient>(QueryGradientPlan<QueryGradient>::bytes);
};

}  // namespace fathom::hip
