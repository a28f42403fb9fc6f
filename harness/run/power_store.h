// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <filesystem>
#include <optional>
#include <string>

namespace fathom {

/// Where selftests leave what they measured: FATHOM_POWER_DIR, else fathom/power in the user's
/// cache folder.
std::filesystem::path power_folder();

/// Keeps a measurement under the hash of its Cases. Throws InfrastructureError.
void keep_power(const MeasuredPower& power);

/// What was measured for a set of Cases; nothing if it never was, or if what is kept is damaged.
std::optional<MeasuredPower> find_power(const std::string& cases_hash);

}  // namespace fathom
