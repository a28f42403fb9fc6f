// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/arguments.h"
#include "backends/hip/platform/host/executor.h"
#include "harness/core/dtype.h"

#include <span>

namespace fathom::hip {

/// Whose matrix instructions the executor emulates, and so how the kernels are cut.
enum class Target : std::uint8_t { amd, amd_narrow, nvidia };

/// The kernels of one head dim and dtype, as functions that launch them on the executor.
struct HostKernels {
  Dtype dtype;
  int head_dim;
  int query_rows;     ///< Of a forward block.
  int keys;           ///< Of a forward tile.
  int gradient_keys;  ///< Of a block for dK and dV, and the queries of its tiles.
  int gradient_queries;
  int gradient_rows;  ///< Of a block for dQ, and the keys of its tiles.
  int gradient_inner;
  using Run = void (*)(const Arguments&, const host::Schedule&, host::Alarms&);
  Run forward;
  Run row_data;
  Run key_gradient;
  Run query_gradient;
};

std::span<const HostKernels> amd_kernels();
std::span<const HostKernels> amd_narrow_kernels();
std::span<const HostKernels> nvidia_kernels();

/// Null if no kernel is built for this head dim or dtype.
const HostKernels* find_kernels(Target target, Dtype dtype, Index head_dim);

}  // namespace fathom::hip
