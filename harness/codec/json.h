// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/fields.h"
#include "harness/codec/parse.h"
#include "harness/core/case.h"
#include "harness/core/record.h"
#include "harness/core/report.h"

#include <string_view>

// The JSON forms of core values, one for suites, wire, journal and reports. Reading is strict: a
// wrong type or an unknown key throws DataError with its key path.

namespace fathom {

Json problem_to_json(const Problem& problem);
Problem problem_from_json(const Json& json, std::string_view path);
/// Sets one field of a Problem; for readers that meet the fields one by one.
void set_from_json(Problem& problem, const ProblemField& field, const Json& json,
                   std::string_view path);
/// Every field, numbers as numbers; absent ones keep their default when read.
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

template <>
struct JsonForm<Problem> {
  static Json write(const Problem& problem) { return problem_to_json(problem); }
  static Problem read(const Json& json, std::string_view path) {
    return problem_from_json(json, path);
  }
};

template <>
struct JsonForm<Arithmetic> {
  static Json write(const Arithmetic& arithmetic) { return arithmetic_to_json(arithmetic); }
  static Arithmetic read(const Json& json, std::string_view path) {
    return arithmetic_from_json(json, path);
  }
};

}  // namespace fathom
