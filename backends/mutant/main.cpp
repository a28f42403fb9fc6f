// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/backend.h"
#include "harness/worker/serve.h"

#include <cstdio>
#include <string_view>

// fathom-worker-mutant [--table]: serves the protocol, or prints the table of defects as JSON.

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--table") {
    std::fputs(fathom::mutant::table_json().c_str(), stdout);
    return 0;
  }
  return fathom::worker::serve("mutant", fathom::mutant::make_all_backends());
}
