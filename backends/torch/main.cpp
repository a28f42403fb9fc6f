// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/sdpa_backend.h"
#include "harness/worker/serve.h"

#include <ATen/Parallel.h>

#include <cstdlib>
#include <string>

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

/// FATHOM_DEVICE: cpu or cuda (default: cuda where there is one). FATHOM_TORCH_THREADS: CPU
/// threads.
int main() {
  const int threads = std::atoi(environment("FATHOM_TORCH_THREADS").c_str());
  if (threads > 0) at::set_num_threads(threads);
  return fathom::worker::serve("torch", fathom::sdpa::make_backends(environment("FATHOM_DEVICE")));
}
