// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/host_kernels.h"
#include "backends/hip/kernel/configs.h"

#include <array>
#include <functional>

namespace fathom::hip {

/// Blocks that find_rows() needs for `tokens` rows in `count` sequences.
inline int row_blocks(int tokens, int count, int rows) {
  return tokens / rows + count;
}

template <typename C>
void launch(int blocks, int heads, int shared_bytes, const host::Schedule& schedule,
            host::Alarms& alarms, const std::function<void()>& lane) {
  const host::Launch launch{blocks, heads, C::waves, C::Shape::wave, shared_bytes};
  host::run(launch, schedule, lane, alarms);
}

template <typename C>
void run_forward(const Arguments& a, const host::Schedule& schedule, host::Alarms& alarms) {
  launch<C>(row_blocks(a.sequences.query_tokens, a.sequences.count, C::rows), a.query_heads,
            ForwardPlan<C>::bytes, schedule, alarms, [&a] { forward<C>(a, {}); });
}

template <typename C>
void run_key_gradient(const Arguments& a, const host::Schedule& schedule, host::Alarms& alarms) {
  launch<C>(row_blocks(a.sequences.key_tokens, a.sequences.count, C::rows),
            a.query_heads / a.group * C::slices, KeyGradientPlan<C>::bytes, schedule, alarms,
            [&a] { key_gradient<C>(a, {}); });
}

template <typename C>
void run_query_gradient(const Arguments& a, const host::Schedule& schedule, host::Alarms& alarms) {
  launch<C>(row_blocks(a.sequences.query_tokens, a.sequences.count, C::rows),
            a.query_heads * C::slices, QueryGradientPlan<C>::bytes, schedule, alarms,
            [&a] { query_gradient<C>(a, {}); });
}

template <typename Element, int Dim, int Wave>
void run_row_data(const Arguments& a, const host::Schedule& schedule, host::Alarms& alarms) {
  const int blocks = (a.sequences.query_tokens + row_data_threads - 1) / row_data_threads;
  const host::Launch launch{blocks, a.query_heads, row_data_threads / Wave, Wave, 0};
  host::run(
      launch, schedule,
      [&a] { row_data<Element, Dim, row_data_threads>(a, wave_id() * Wave + lane_id()); }, alarms);
}

template <typename Device, typename Element, int Dim>
HostKernels kernels_of(Dtype dtype) {
  using F = typename Device::template ForwardOf<Element, Dim>::Type;
  using K = typename Device::template KeyGradientOf<Element, Dim>::Type;
  using Q = typename Device::template QueryGradientOf<Element, Dim>::Type;
  return {.dtype = dtype,
          .head_dim = Dim,
          .query_rows = F::rows,
          .keys = F::inner,
          .gradient_keys = K::rows,
          .gradient_queries = K::inner,
          .gradient_rows = Q::rows,
          .gradient_inner = Q::inner,
          .forward = &run_forward<F>,
          .row_data = &run_row_data<Element, Dim, Device::wave>,
          .key_gradient = &run_key_gradient<K>,
          .query_gradient = &run_query_gradient<Q>};
}

/// Every head dim in both dtypes.
template <typename Device, int... Dims>
std::array<HostKernels, 2 * sizeof...(Dims)> all_kernels_of() {
  return {kernels_of<Device, Bf16, Dims>(Dtype::bf16)...,
          kernels_of<Device, Half, Dims>(Dtype::f16)...};
}

}  // namespace fathom::hip
