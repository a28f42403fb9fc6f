// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/record.h"
#include "harness/run/case_tools.h"

namespace fathom {

/// Puts one planned case to its worker, every Trial of its Probe, and judges what comes back. Every
/// exception ends here, as a verdict; a lost worker is retired.
Record run_case(const PlannedCase& planned, CaseTools& tools);

}  // namespace fathom
