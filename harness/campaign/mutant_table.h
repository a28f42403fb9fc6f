// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fathom {

/// One planted defect, as the mutant worker lists it.
struct MutantInfo {
  std::string name;      ///< The backend is `mutant:` + name; its honest twin is mutant:honest.
  std::string what;      ///< One sentence.
  std::string imitates;  ///< Public thread of the bug it imitates; may be empty.
  std::string pass;      ///< forward or backward: what it damages.
  std::string axis;      ///< What an explainer should name; several right words by `|`.
  bool operator==(const MutantInfo&) const = default;
};

/// Asks the worker program (`--table`). Throws InfrastructureError if it does not answer properly.
std::vector<MutantInfo> read_mutants(const std::filesystem::path& worker);

/// Backend name of the twin without a defect.
inline constexpr const char* honest_twin = "mutant:honest";

}  // namespace fathom
