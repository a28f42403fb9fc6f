// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <string>

namespace fathom {

/// Version of report.json; reports/schema/report.schema.json describes it. A reader may rely on
/// every key of its version; a new key does not change the version, a changed meaning does.
inline constexpr int report_schema_version = 1;

/// report.json: everything the Report holds, `summary` first.
std::string json_report(const Report& report);

}  // namespace fathom
