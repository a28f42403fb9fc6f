// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/report.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

/// A report format: a pure function of the Report.
struct Writer {
  std::string_view name;       ///< json, junit, markdown, html
  std::string_view file_name;  ///< report.json, junit.xml, summary.md, report.html
  std::string (*write)(const Report&);
};

std::span<const Writer> writers();

/// Writes every format into the folder, each by a temporary file and a rename.
void write_reports(const Report& report, const std::filesystem::path& folder);

/// What `fathom run` prints at its end, and `fathom show` of one Record. Plain text; colour is
/// added only where `colour` is true.
std::string console_summary(const Report& report, bool colour);
std::string console_record(const Record& record, bool colour);
/// What other projects' rules would have said, beside fathom's own verdict: a table of rules and
/// tensors, or a sentence if nobody asked them.
std::string console_peers(const Record& record);

}  // namespace fathom
