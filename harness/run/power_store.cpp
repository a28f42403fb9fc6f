// SPDX-License-Identifier: Apache-2.0
#include "harness/run/power_store.h"

#include "harness/codec/tables.h"
#include "harness/core/error.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace fathom {
namespace fs = std::filesystem;
namespace {

fs::path file_of(const std::string& cases_hash) {
  return power_folder() / (cases_hash + ".json");
}

fs::path folder_from(const char* variable) {
  const char* const value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

}  // namespace

fs::path power_folder() {
  if (fs::path own = folder_from("FATHOM_POWER_DIR"); !own.empty()) return own;
  if (const fs::path cache = folder_from("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "fathom" / "power";
  }
  const fs::path home = folder_from("HOME");
  return (home.empty() ? fs::temp_directory_path() : home / ".cache") / "fathom" / "power";
}

void keep_power(const MeasuredPower& power) {
  const fs::path file = file_of(power.cases_hash);
  const fs::path temporary = file.string() + ".new";
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  std::ofstream stream(temporary);
  stream << write_json(power).dump(2) << '\n';
  stream.close();
  if (stream) fs::rename(temporary, file, error);
  if (!stream || error) {
    throw InfrastructureError(file.string() +
                              ": cannot keep the measured power here; set FATHOM_POWER_DIR");
  }
}

std::optional<MeasuredPower> find_power(const std::string& cases_hash) {
  std::ifstream stream(file_of(cases_hash));
  if (!stream) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  try {
    const auto power = read_json<MeasuredPower>(parse_json(text, cases_hash), cases_hash + ":");
    return power.cases_hash == cases_hash ? std::optional(power) : std::nullopt;
  } catch (const DataError&) {
    return std::nullopt;
  }
}

}  // namespace fathom
