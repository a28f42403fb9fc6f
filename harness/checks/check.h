// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/finding.h"
#include "harness/core/observation.h"

#include <span>
#include <string_view>
#include <vector>

namespace fathom {

/// A Check is a pure function of an Observation: it returns what is wrong.
struct Check {
  std::string_view name;
  std::string_view essence;  ///< One sentence: what it asserts and what faults it finds.
  std::vector<Finding> (*run)(const Observation&);
};

/// The table of Checks, in the order of their gravity in reports.
std::span<const Check> all_checks();

}  // namespace fathom
