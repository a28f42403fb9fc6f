// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/case.h"
#include "harness/core/record.h"
#include "harness/core/report.h"

#include <filesystem>
#include <string>
#include <vector>

namespace fathom {

/// A named list of Cases, loaded from cases/<name>.json with its axes expanded.
struct Suite {
  std::string name;
  std::string why;
  std::vector<PublishedFigure> published;
  std::vector<Case> cases;
};

/// The most Cases that one suite file may expand to; counted before anything is expanded.
inline constexpr Index max_suite_cases = 100'000;

/// Reads a suite file (format: cases/suite.schema.json). Throws DataError that names the file and
/// the key path.
Suite load_suite(const std::filesystem::path& path);

/// What is known to fail, and why that is accepted for now.
struct Expectation {
  ExpectationNote note;  ///< match is a query; verdict an outcome like `fail(accuracy)` or `crash`.
  std::string file;
};

/// Reads an expectations file (format: cases/expectations.schema.json). Throws DataError that names
/// the file and the key path.
std::vector<Expectation> load_expectations(const std::filesystem::path& file);

}  // namespace fathom
