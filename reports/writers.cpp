// SPDX-License-Identifier: Apache-2.0
#include "reports/writers.h"

#include "reports/atomic_file.h"
#include "reports/html_report.h"
#include "reports/json_report.h"
#include "reports/markdown.h"

#include <array>
#ifdef FATHOM_HAVE_PUGIXML
#include "reports/junit.h"
#endif

namespace fathom {

std::span<const Writer> writers() {
  static constexpr std::array table{
      Writer{"json", "report.json", json_report},
      Writer{"html", "report.html", html_report},
      Writer{"markdown", "summary.md", markdown_summary},
#ifdef FATHOM_HAVE_PUGIXML
      Writer{"junit", "junit.xml", junit_report},
#endif
  };
  return table;
}

void write_reports(const Report& report, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const Writer& writer : writers()) {
    write_atomically(folder / writer.file_name, writer.write(report));
  }
}

}  // namespace fathom
