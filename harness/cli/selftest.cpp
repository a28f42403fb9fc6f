// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/selftest.h"

#include "harness/cli/commands.h"
#include "harness/cli/places.h"
#include "harness/codec/fields.h"
#include "harness/core/error.h"
#include "harness/core/filter.h"
#include "harness/core/text.h"
#include "harness/run/environment.h"
#include "harness/run/power_store.h"
#include "reference/oracle.h"
#include "reports/atomic_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

namespace fathom::cli {
namespace {

struct SelftestArguments {
  std::string suite;  ///< power, or peers if they are asked.
  std::vector<std::string> mutants;
  std::string filter;
  std::string json;
  bool full = false;
  bool peers = false;
  std::uint64_t clean = 400;
  std::uint64_t draw = 1;
  std::uint64_t first = 0;
  std::vector<std::string> clean_backends{honest_twin, "eigen"};
  int lanes = 0;
};

/// A line on standard error, not more often than every two seconds.
class Ticker {
 public:
  void say(const std::string& line) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::seconds(2)) return;
    last_ = now;
    std::cerr << line << '\n';
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

std::vector<MutantInfo> choose_mutants(const SelftestArguments& options,
                                       const WorkerCommand& worker) {
  std::vector<MutantInfo> all = read_mutants(worker.argv.front());
  if (options.mutants.empty()) return all;
  std::vector<MutantInfo> chosen;
  for (const MutantInfo& mutant : all) {
    const auto matches = [&](const std::string& glob) { return glob_match(glob, mutant.name); };
    if (std::any_of(options.mutants.begin(), options.mutants.end(), matches)) {
      chosen.push_back(mutant);
    }
  }
  if (chosen.empty()) throw UsageError("no mutant matches " + join(options.mutants, ", "));
  return chosen;
}

std::vector<Case> choose_cases(const Suite& suite, const std::string& query) {
  const Filter filter = Filter::parse(query);
  std::vector<Case> cases;
  for (const Case& c : suite.cases) {
    if (filter.matches(filter_row(PlannedCase{case_id("", c), honest_twin, c}))) cases.push_back(c);
  }
  if (cases.empty())
    throw UsageError("no case of suite " + suite.name + " matches '" + query + "'");
  return cases;
}

/// So that a report of the same Cases can say what they see.
void keep(const Selftest& result) {
  const Rate& rate = result.power.all;
  keep_power({result.suite_hash, now_utc(), rate.killed, rate.of, rate.low, rate.high,
              result.power.survivors});
}

int run_selftest(const SelftestArguments& options) {
  const auto start = std::chrono::steady_clock::now();
  const int lanes =
      options.lanes > 0 ? options.lanes : static_cast<int>(std::thread::hardware_concurrency());
  const OracleMaker make = [](int threads) { return reference::make_oracle({threads}); };
  const WorkerCommand mutant_worker = campaign_worker("mutant");
  Ticker ticker;

  Selftest result;
  result.full = options.full;
  const bool own_suite = options.suite.empty();
  const Suite suite = find_suite(own_suite ? (options.peers ? "peers" : "power") : options.suite);
  result.suite = suite.name;
  const std::vector<Case> cases = choose_cases(suite, options.filter);
  result.suite_hash = hash_of_cases(cases);
  result.mutants = choose_mutants(options, mutant_worker);
  {
    Lanes matrix_lanes({mutant_worker}, lanes, Lanes::Oracles::shared, make);
    matrix_lanes.ask_peers(options.peers);
    KillMatrixOptions how;
    how.by_key_length = own_suite;
    how.full = options.full || options.peers;
    how.on_case = [&](std::size_t done, std::size_t of, std::size_t alive) {
      ticker.say(fmt::format("kill matrix: case {} of {}, {} cells alive", done, of, alive));
    };
    result.matrix = build_kill_matrix(matrix_lanes, cases, result.mutants, how);
  }
  result.power = power_of(result.matrix);
  if (options.mutants.empty()) keep(result);
  if (options.peers) result.peers = peer_power_of(result.matrix);
  result.explainer = score_explainer(result.matrix, result.mutants);
  if (options.clean > 0) {
    std::vector<WorkerCommand> workers = built_workers();
    workers.push_back(mutant_worker);
    Lanes clean_lanes(workers, lanes, Lanes::Oracles::apart, make);
    result.clean.push_back(
        run_clean_cases(clean_lanes, options.clean_backends, options.draw, options.first,
                        options.clean, [&](std::size_t done) {
                          ticker.say(fmt::format("clean cases: {} of {}", done, options.clean));
                        }));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  result.duration_s = took.count();
  if (!options.json.empty()) write_atomically(options.json, to_json(result).dump(2) + "\n");
  std::cout << summary_text(result);
  return exit_code(result);
}

}  // namespace

Action add_selftest(CLI::App& command) {
  auto options = std::make_shared<SelftestArguments>();
  command.add_option("--suite", options->suite,
                     "whose cases must see the planted defects; default power");
  command.add_option("--filter", options->filter, "only the cases that match this query");
  command.add_option("--mutant", options->mutants, "only these planted defects; globs allowed");
  command.add_flag("--full", options->full, "every defect on every case, not until its first kill");
  command.add_flag("--peers", options->peers,
                   "what other projects' acceptance rules would have killed, on the suite peers");
  command.add_option("--clean", options->clean, "random clean cases in which nobody may cry out")
      ->capture_default_str();
  command.add_option("--draw", options->draw, "seed of the clean cases")->capture_default_str();
  command.add_option("--first", options->first, "number of the first clean case")
      ->capture_default_str();
  command.add_option("--clean-backend", options->clean_backends, "who answers the clean cases")
      ->capture_default_str();
  command.add_option("--json", options->json, "file for every cell and every number");
  command.add_option("--lanes", options->lanes, "threads; 0 means all cores");
  return [options] { return run_selftest(*options); };
}

}  // namespace fathom::cli
