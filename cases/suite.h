// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/case.h"
#include "harness/core/record.h"

#include <filesystem>
#include <string>
#include <vector>

namespace fathom {

/// A named list of Cases, loaded from cases/<name>.json with its axes expanded.
struct Suite {
  std::string name;
  std::string why;
  std::vector<Case> cases;
};

/// Reads a suite file. Throws DataError that names the file and the key path.
Suite load_suite(const std::filesystem::path& file);

/// What is known to fail, and why that is accepted for now.
struct Expectation {
  ExpectationNote note;  ///< match is a query; verdict an outcome like `fail(accuracy)` or `crash`.
  std::string file;
};

/// Reads an expectations file. Throws DataError that names the file and the key path.
std::vector<Expectation> load_expectations(const std::filesystem::path& file);

}  // namespace fathom
