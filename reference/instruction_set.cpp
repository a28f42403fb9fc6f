// SPDX-License-Identifier: Apache-2.0
#include "reference/instruction_set.h"

#include "reference/oracle.h"

namespace fathom::reference {

// One kernels() per build; see kernel_table.cpp.
namespace baseline {
Kernels kernels();
}
#ifdef FATHOM_HAVE_V3
namespace x86_64_v3 {
Kernels kernels();
}
#endif

std::vector<Kernels> runnable_kernels() {
  std::vector<Kernels> found;
#ifdef FATHOM_HAVE_V3
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    found.push_back(x86_64_v3::kernels());
  }
#endif
  found.push_back(baseline::kernels());
  return found;
}

std::string why_cpu_unfit() {
  // The build for any CPU is always there; only flags that raise it (-march=native) can be unfit.
#if defined(__x86_64__) && defined(__AVX2__)
  if (!__builtin_cpu_supports("avx2"))
    return "fathom was compiled for CPUs with AVX2, which this one lacks: build it on this machine";
#endif
#if defined(__x86_64__) && defined(__AVX512F__)
  if (!__builtin_cpu_supports("avx512f"))
    return "fathom was compiled for CPUs with AVX-512, which this one lacks: build it on this "
           "machine";
#endif
  return {};
}

}  // namespace fathom::reference
