// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_launcher.h"

#include "backends/hip/platforms.h"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace fathom::hip {
namespace {

/// Why this CPU cannot run the executor as it was built; empty if it can.
std::string why_cpu_unfit() {
#if defined(FATHOM_HIP_X86_64_V3)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    return "the executor was built for x86-64-v3 and this CPU has no AVX2";
  }
#endif
  return "";
}

}  // namespace

host::Schedule all_cores() {
  return {.seed = 0, .threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};
}

void HostLauncher::launch(Kernel kernel, ElementType element, int head_dim,
                          const Arguments& arguments, void* /*stream*/) const {
  const auto* kernels = find_kernels(kernels_of(target_), element, head_dim);
  if (kernels == nullptr) {
    throw std::runtime_error("the executor has no kernel for head dim " + std::to_string(head_dim));
  }
  const auto& [geometry, lane] = (*kernels)[kernel];
  const Grid grid = grid_of(kernel, geometry, arguments);
  const host::Launch launch{grid.x, grid.y, geometry.waves, geometry.wave, geometry.shared_bytes};
  host::Alarms alarms;
  const HostLane body = lane;
  host::run(
      launch, schedule_, [body, &arguments] { body(arguments); },
      into_ != nullptr ? *into_ : alarms);
  // An alarm is an answer that must not be taken for one.
  if (alarms.count() != 0) throw std::runtime_error(alarms.summary());
}

Platform host_platform(Target target) {
  static const HostLauncher amd(Target::amd);
  static const HostLauncher nvidia(Target::nvidia);
  std::string unfit = why_cpu_unfit();
  const Launcher& launcher = target == Target::nvidia ? nvidia : amd;
  return {true, unfit.empty() ? &launcher : nullptr, std::move(unfit)};
}

}  // namespace fathom::hip
