// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"
#include "harness/core/report.h"

namespace fathom::cli {

/// A plain question of five queries and keys, in a dtype and a layout that the backend declares.
Problem small_question(const BackendStatus& status);

}  // namespace fathom::cli
