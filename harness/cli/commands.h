// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace fathom::cli {

/// A command adds its options to the parser and returns what to do once they are parsed; that
/// returns the process's exit code.
using Action = std::function<int()>;

Action add_run(CLI::App& command);
Action add_list(CLI::App& command);
Action add_support(CLI::App& command);
Action add_show(CLI::App& command);
Action add_report(CLI::App& command);
Action add_selftest(CLI::App& command);
Action add_doctor(CLI::App& command);

/// Whether colour suits standard output: a terminal, and NO_COLOR not set.
bool want_colour();

}  // namespace fathom::cli
