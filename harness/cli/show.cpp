// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/commands.h"
#include "harness/codec/json.h"
#include "harness/core/error.h"
#include "harness/core/filter.h"
#include "harness/run/journal.h"
#include "reports/writers.h"

#include <algorithm>
#include <iostream>
#include <memory>

namespace fathom::cli {
namespace {

struct ShowArguments {
  std::string which;
  std::string folder = "fathom-out";
  bool json = false;
  bool peers = false;
};

/// Records whose id starts with the text, or, if there is none, those that the query matches.
std::vector<Record> find_records(const Report& report, const std::string& which) {
  std::vector<Record> found;
  for (const Record& record : report.records) {
    if (record.planned.id.starts_with(which)) found.push_back(record);
  }
  if (!found.empty()) return found;
  const Filter filter = Filter::parse(which);
  for (const Record& record : report.records) {
    if (filter.matches(filter_row(record))) found.push_back(record);
  }
  return found;
}

}  // namespace

Action add_show(CLI::App& command) {
  auto options = std::make_shared<ShowArguments>();
  command.add_option("case", options->which, "the id of a case, or a query")->required();
  command.add_option("--in", options->folder, "folder of the run")->capture_default_str();
  command.add_flag("--json", options->json, "the whole Record as JSON, one a line");
  command.add_flag("--peers", options->peers,
                   "beside it what other projects' acceptance rules would have said");
  return [options] {
    const Report report = make_report(read_journal(options->folder));
    const std::vector<Record> records = find_records(report, options->which);
    if (records.empty()) {
      throw UsageError("no case of " + options->folder + " matches '" + options->which + "'");
    }
    for (const Record& record : records) {
      if (options->json) {
        std::cout << record_to_json(record).dump() << "\n";
        continue;
      }
      std::cout << console_record(record, want_colour());
      if (options->peers) std::cout << console_peers(record);
    }
    return 0;
  };
}

}  // namespace fathom::cli
