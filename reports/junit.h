// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <string>

namespace fathom {

/// junit.xml: one testsuite per backend. JUnit has fewer words than fathom, so the property
/// `fathom.verdict` of each testcase carries the exact outcome (`expected_fail(fail(accuracy))`).
std::string junit_report(const Report& report);

}  // namespace fathom
