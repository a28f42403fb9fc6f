// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/inputs.h"

#include <cstdio>
#include <iostream>
#include <string>

// Reads case texts, one a line, and writes the bytes of their input tensors, in the order of
// input_specs, to standard output: what the numpy twin is compared with.
int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    try {
      for (const auto& [name, tensor] : fathom::make_inputs(fathom::parse_case(line))) {
        if (tensor.bytes.empty()) continue;  // An empty vector's data may be null.
        const std::size_t written =
            std::fwrite(tensor.bytes.data(), 1, tensor.bytes.size(), stdout);
        if (written != tensor.bytes.size()) return 1;
      }
    } catch (const std::exception& e) {
      std::cerr << "'" << line << "': " << e.what() << '\n';
      return 65;
    }
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
