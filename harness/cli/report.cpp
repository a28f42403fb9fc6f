// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/commands.h"
#include "harness/run/journal.h"
#include "reports/writers.h"

#include <iostream>
#include <memory>

namespace fathom::cli {
namespace {

struct ReportArguments {
  std::string folder = "fathom-out";
  std::string out;
};

}  // namespace

Action add_report(CLI::App& command) {
  auto options = std::make_shared<ReportArguments>();
  command.add_option("folder", options->folder, "folder of the run")->capture_default_str();
  command.add_option("--out", options->out, "where to write; default the run's own folder");
  return [options] {
    const Report report = make_report(read_journal(options->folder));
    write_reports(report, options->out.empty() ? options->folder : options->out);
    std::cout << console_summary(report, want_colour());
    return exit_code(report);
  };
}

}  // namespace fathom::cli
