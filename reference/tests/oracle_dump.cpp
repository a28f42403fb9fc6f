// SPDX-License-Identifier: Apache-2.0

// Lets another program ask the oracle. Each line of standard input is `<folder> <case>`; the
// folder holds the Inputs as raw little-endian tensors (q.raw, k.raw, ...). The values go to
// o.f64, lse.f64, ... beside them, as raw fp64, and the folder is printed when they are complete.

#include "harness/core/case.h"
#include "harness/core/error.h"
#include "reference/oracle.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

namespace fathom {
namespace {

Tensor read_tensor(const std::string& folder, const TensorSpec& spec) {
  const std::string path = folder + "/" + std::string(to_string(spec.name)) + ".raw";
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DataError("cannot open " + path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {spec, {bytes, bytes + text.size()}};
}

void write_values(const std::string& path, const std::vector<double>& values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(double)));
  if (!file.flush()) throw InfrastructureError("cannot write " + path);
}

void answer_line(const std::string& line, Oracle& oracle) {
  const std::string folder = line.substr(0, line.find(' '));
  const Problem problem = parse_case(line.substr(folder.size())).problem;
  TensorSet inputs;
  for (const TensorSpec& spec : input_specs(problem)) inputs[spec.name] = read_tensor(folder, spec);
  const auto answer = oracle.answer(problem, flash_arithmetic(problem.dtype), inputs);
  for (const auto& [name, tensor] : *answer)
    write_values(folder + "/" + std::string(to_string(name)) + ".f64", tensor.value);
  std::cout << folder << std::endl;
}

}  // namespace
}  // namespace fathom

int main() {
  try {
    const auto oracle = fathom::reference::make_oracle();
    for (std::string line; std::getline(std::cin, line);) fathom::answer_line(line, *oracle);
  } catch (const std::exception& error) {
    std::cerr << "fathom-oracle-dump: " << error.what() << '\n';
    return 1;
  }
}
