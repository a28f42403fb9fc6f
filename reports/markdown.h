// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <cstddef>
#include <string>

namespace fathom {

/// A step summary beyond 1 MiB is dropped whole by the services that show it.
inline constexpr std::size_t markdown_limit = 900'000;

/// summary.md: headline, backends, matrix, failures, expectations, speed, environment; never more
/// than markdown_limit bytes, with `... n more` where something is left out.
std::string markdown_summary(const Report& report);

}  // namespace fathom
