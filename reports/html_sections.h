// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <string>

// The parts of the page that are plain HTML: what a reader without scripts sees, and what the
// scripts build upon.

namespace fathom {

std::string header_section(const Report& report);
std::string overview_section(const Report& report);     ///< Cards, matrix, failures, expectations.
std::string performance_section(const Report& report);  ///< The table under the charts.
std::string environment_section(const Report& report);  ///< Backends, facts of the run, machine.

}  // namespace fathom
