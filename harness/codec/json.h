// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/case.h"
#include "harness/core/record.h"
#include "harness/core/report.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

// The JSON forms of core values, one for suites, wire, journal and reports. Reading is strict: a
// wrong type or an unknown key throws DataError with its key path.

namespace fathom {

using Json = nlohmann::json;
/// Keeps the order of insertion: for files that people read.
using OrderedJson = nlohmann::ordered_json;

/// Parses untrusted text: no duplicate keys, depth <= 32, no NaN. `what` names the source in the
/// DataError, with line and column.
Json parse_json(std::string_view text, std::string_view what);

/// Non-finite doubles travel as the strings "nan", "inf", "-inf", because JSON has no word for
/// them.
Json number_to_json(double value);
double number_from_json(const Json& json);

Json problem_to_json(const Problem& problem);
Problem problem_from_json(const Json& json, std::string_view path);
Json arithmetic_to_json(const Arithmetic& arithmetic);
Arithmetic arithmetic_from_json(const Json& json, std::string_view path);
Json planned_to_json(const PlannedCase& planned);
PlannedCase planned_from_json(const Json& json, std::string_view path);
Json record_to_json(const Record& record);
Record record_from_json(const Json& json, std::string_view path);
Json backend_status_to_json(const BackendStatus& status);
BackendStatus backend_status_from_json(const Json& json, std::string_view path);
Json report_to_json(const Report& report);
Report report_from_json(const Json& json, std::string_view path);

}  // namespace fathom
