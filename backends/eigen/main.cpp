// SPDX-License-Identifier: Apache-2.0
#include "backends/eigen/backend.h"
#include "harness/worker/serve.h"

int main() {
  std::vector<std::unique_ptr<fathom::worker::Backend>> backends;
  backends.push_back(fathom::eigen::make_backend());
  return fathom::worker::serve("eigen", std::move(backends));
}
