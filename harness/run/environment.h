// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

namespace fathom {

/// The machine, the compiler and the settings that change results or times. Environment variables
/// by an allow-list, so that no secret is ever recorded.
Environment capture_environment();

/// Now, in UTC: 2026-01-31T12:34:56Z.
std::string now_utc();

}  // namespace fathom
