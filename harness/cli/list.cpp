// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/commands.h"
#include "harness/cli/places.h"
#include "harness/core/filter.h"

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace fathom::cli {
namespace {

struct ListArguments {
  std::string suite;
  std::string filter;
};

int list_suites() {
  for (const std::string& name : suite_names()) {
    const Suite suite = find_suite(name);
    std::cout << fmt::format("{:<12} {:>5} cases  {}\n", name, suite.cases.size(), suite.why);
  }
  return 0;
}

int list_cases(const ListArguments& options) {
  const Filter filter = Filter::parse(options.filter);
  for (const Case& c : find_suite(options.suite).cases) {
    if (filter.matches(filter_row(PlannedCase{"", "", c}))) std::cout << to_string(c) << '\n';
  }
  return 0;
}

}  // namespace

Action add_list(CLI::App& command) {
  auto options = std::make_shared<ListArguments>();
  command.add_option("suite,--suite", options->suite, "suite by name or file; default: all suites");
  command.add_option("--filter", options->filter, "query over the cases");
  return [options] { return options->suite.empty() ? list_suites() : list_cases(*options); };
}

}  // namespace fathom::cli
