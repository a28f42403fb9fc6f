// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"
#include "harness/core/finding.h"

#include <span>
#include <string_view>
#include <vector>

namespace fathom {

/// A Check is a pure function of one Observation, made ready as Evidence: it returns what is wrong.
struct Check {
  std::string_view name;
  std::string_view essence;  ///< One sentence: what it asserts and what faults it finds.
  std::vector<Finding> (*run)(const Evidence&);
};

/// The table of Checks, in the order of their gravity in reports.
std::span<const Check> all_checks();

/// `value` as a share of `limit`: what a margin is. Above 1, or NaN, is a failure.
double share_of(double value, double limit);

}  // namespace fathom
