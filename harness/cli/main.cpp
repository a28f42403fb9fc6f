// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/commands.h"
#include "harness/cli/exit_codes.h"
#include "harness/core/error.h"
#include "harness/core/text.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::cli {
namespace {

struct Command {
  const char* name;
  const char* meaning;
  Action (*add)(CLI::App&);
};
constexpr std::array commands{
    Command{"run", "put the cases of a suite to the backends and judge the answers", add_run},
    Command{"list", "list the suites, or the cases of one", add_list},
    Command{"support", "what each backend declares, and what it refuses", add_support},
    Command{"show", "everything about one case of a run", add_show},
    Command{"report", "write the reports of a run again, from its journal", add_report},
    Command{"selftest", "whether the checks see planted bugs, and cry out where there is none",
            add_selftest},
    Command{"doctor", "whether this machine can run fathom, and what is missing", add_doctor},
};

int complain(const std::exception& e, int code) {
  std::cerr << "fathom: " << e.what() << '\n';
  return code;
}

/// CLI11 only says that a command is missing; a person who mistypes one deserves a hint.
void refuse_unknown_command(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  const std::string_view word = argv[1];
  std::vector<std::string_view> names;
  for (const Command& command : commands) {
    if (word == command.name) return;
    names.emplace_back(command.name);
  }
  throw UsageError("there is no command '" + std::string(word) + "'" + did_you_mean(word, names) +
                   "; `fathom --help` lists them");
}

int run_main(int argc, char** argv) {
  refuse_unknown_command(argc, argv);
  CLI::App app(
      "fathom: which attention implementations are right, on which masks and dtypes, how "
      "fast, in how much memory",
      "fathom");
  app.set_version_flag("--version", std::string("fathom ") + FATHOM_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  std::array<Action, commands.size()> actions;
  std::array<CLI::App*, commands.size()> parsers{};
  for (std::size_t i = 0; i < commands.size(); ++i) {
    parsers[i] = app.add_subcommand(commands[i].name, commands[i].meaning);
    actions[i] = commands[i].add(*parsers[i]);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_usage;
  }
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (parsers[i]->parsed()) return actions[i]();
  }
  return exit_usage;
}

}  // namespace

bool want_colour() {
  const char* const no = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  const bool refused =
      (no != nullptr && *no != 0) || (term != nullptr && std::strcmp(term, "dumb") == 0);
  return ::isatty(STDOUT_FILENO) != 0 && !refused;
}

}  // namespace fathom::cli

int main(int argc, char** argv) {
  using namespace fathom;
  try {
    return cli::run_main(argc, argv);
  } catch (const UsageError& e) {
    return cli::complain(e, cli::exit_usage);
  } catch (const DataError& e) {
    return cli::complain(e, cli::exit_bad_data);
  } catch (const InfrastructureError& e) {
    return cli::complain(e, cli::exit_infrastructure);
  } catch (const std::exception& e) {
    return cli::complain(e, cli::exit_internal);
  }
}
