// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <cstddef>
#include <string>

namespace fathom {

/// What the page's scripts read. Strings are as they came: json_for_html makes them inert.
struct PageData {
  std::string table;    ///< One JSON object: columns of the case table, dictionary coded.
  std::string details;  ///< One JSON object a line: a Record, parsed when its drawer opens.
};

/// Records that need attention keep their details first, then a regular sample of the others, until
/// `detail_budget` bytes are full: the page stays a page, and report.json has everything.
PageData page_data(const Report& report, std::size_t detail_budget = 12u << 20);

}  // namespace fathom
