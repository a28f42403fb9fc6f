// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"
#include "reports/html_assets.h"

#include <string>

namespace fathom {

/// report.html: one file that needs no network. Header, matrix, failures, backends and environment
/// are plain HTML; scripts add the case table, the case drawer and the charts.
std::string html_report(const Report& report);
std::string html_report(const Report& report, const PageAssets& assets);

}  // namespace fathom
