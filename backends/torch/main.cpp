// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_backend.h"
#include "backends/torch/sdpa_backend.h"
#include "harness/worker/serve.h"

#include <ATen/Parallel.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

/// FATHOM_DEVICE: cpu or cuda (default: cuda where there is one). FATHOM_TORCH_THREADS: CPU
/// threads. FATHOM_FA3_LIBRARY: the op library of FlashAttention-3 (default: a wheel beside torch).
int main() {
  const int threads = std::atoi(environment("FATHOM_TORCH_THREADS").c_str());
  if (threads > 0) at::set_num_threads(threads);
  // Before any device is touched: loading forks, and a child must not inherit a GPU's driver.
  fathom::fa3::Library fa3 = fathom::fa3::load_library(environment("FATHOM_FA3_LIBRARY"),
                                                       fathom::fa3::torchs_site_packages());
  const std::string device = environment("FATHOM_DEVICE");
  auto backends = fathom::sdpa::make_backends(device);
  backends.push_back(fathom::fa3::make_backend(std::move(fa3), device));
  return fathom::worker::serve("torch", std::move(backends));
}
