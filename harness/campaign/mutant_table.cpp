// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/mutant_table.h"

#include "harness/codec/fields.h"
#include "harness/core/error.h"

#include <array>
#include <cstdio>
#include <memory>
#include <tuple>

namespace fathom {

template <>
inline constexpr auto json_fields<MutantInfo> = std::tuple{
    Field{"name", &MutantInfo::name},         Field{"what", &MutantInfo::what},
    Field{"imitates", &MutantInfo::imitates}, Field{"pass", &MutantInfo::pass},
    Field{"axis", &MutantInfo::axis},
};

namespace {

std::string output_of(const std::filesystem::path& program) {
  const std::string command = "'" + program.string() + "' --table";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             &::pclose);
  std::string text;
  std::array<char, 4096> chunk{};
  while (pipe) {
    const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), pipe.get());
    if (count == 0) break;
    text.append(chunk.data(), count);
  }
  return text;
}

}  // namespace

std::vector<MutantInfo> read_mutants(const std::filesystem::path& worker) {
  if (!std::filesystem::exists(worker)) {
    throw InfrastructureError("there is no program " + worker.string() +
                              "; build the target fathom-worker-mutant");
  }
  try {
    return read_json<std::vector<MutantInfo>>(parse_json(output_of(worker), worker.string()),
                                              worker.string() + ":");
  } catch (const DataError& e) {
    throw InfrastructureError(std::string("the mutant worker's table is no good: ") + e.what());
  }
}

}  // namespace fathom
