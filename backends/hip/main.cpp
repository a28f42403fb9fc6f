// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/backend.h"
#include "harness/worker/serve.h"

int main() {
  return fathom::worker::serve("hip", fathom::hip::make_all_backends());
}
