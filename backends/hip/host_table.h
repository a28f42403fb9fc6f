// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/host_kernels.h"
#include "backends/hip/kernel/configs.h"

#include <array>

namespace fathom::hip {

template <typename C>
void forward_lane(const Arguments& a) {
  forward<C>(a, {});
}
template <typename C>
void key_gradient_lane(const Arguments& a) {
  key_gradient<C>(a, {});
}
template <typename C>
void query_gradient_lane(const Arguments& a) {
  query_gradient<C>(a, {});
}
template <typename Element, int Dim, int Wave>
void row_data_lane(const Arguments& a) {
  row_data<Element, Dim, row_data_threads>(a, wave_id() * Wave + lane_id());
}

template <typename Device, typename Element, int Dim>
KernelSet<HostLane> host_kernels() {
  using K = KernelsOf<Device, Element, Dim>;
  return {K::element,
          Dim,
          {{K::forward, &forward_lane<typename K::Forward>},
           {K::row_data, &row_data_lane<Element, Dim, Device::wave>},
           {K::key_gradient, &key_gradient_lane<typename K::KeyGradient>},
           {K::query_gradient, &query_gradient_lane<typename K::QueryGradient>}}};
}

/// Every head dim in both element types.
template <typename Device, int... Dims>
std::array<KernelSet<HostLane>, 2 * sizeof...(Dims)> all_host_kernels() {
  return {host_kernels<Device, Bf16, Dims>()..., host_kernels<Device, Half, Dims>()...};
}

}  // namespace fathom::hip
