// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/commands.h"
#include "harness/cli/places.h"
#include "harness/codec/json.h"
#include "harness/core/text.h"
#include "harness/run/plan.h"
#include "harness/run/worker_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

namespace fathom::cli {
namespace {

struct Options {
  std::string suite;
  std::vector<std::string> backends;
  std::vector<std::string> workers;
  bool json = false;
};

void print_backend(const BackendStatus& status) {
  std::cout << fmt::format("{} {}\n", status.name, status.version);
  if (!status.absent.empty()) {
    std::cout << fmt::format("  absent: {}\n", status.absent);
    return;
  }
  std::cout << fmt::format("  device      {}\n  lowerings   {}\n  features    {}\n", status.device,
                           join(status.lowerings, ", "), join(status.features, ", "));
  for (const auto& [dtype, arithmetic] : status.arithmetic) {
    std::cout << fmt::format("  arithmetic  {}: {}\n", dtype, to_string(arithmetic));
  }
}

/// How one backend takes the cases of a suite: by lowering, or the code of its refusal.
void print_coverage(WorkerPool& pool, const BackendStatus& status, const Suite& suite) {
  std::map<std::string, Index> accepted;
  std::map<std::string, std::pair<Index, std::string>> refused;
  for (const Case& c : suite.cases) {
    SupportAnswer answer;
    for (const std::string& lowering : status.lowerings) {
      answer = pool.client(status.name).support({status.name, lowering, c.problem});
      if (!answer.supported) continue;
      ++accepted[lowering];
      break;
    }
    if (answer.supported) continue;
    auto& [count, sentence] = refused[answer.code];
    ++count;
    sentence = answer.sentence;
  }
  for (const auto& [lowering, count] : accepted) {
    std::cout << fmt::format("  {:>5} of {} cases by {}\n", count, suite.cases.size(), lowering);
  }
  for (const auto& [code, why] : refused) {
    std::cout << fmt::format("  {:>5} of {} cases refused ({}): {}\n", why.first,
                             suite.cases.size(), code, why.second);
  }
}

int show_support(const Options& options) {
  WorkerPool pool(all_workers(options.workers), {});
  const std::vector<BackendStatus> all = pool.hello();
  const std::string pattern = options.backends.empty() ? "*" : "";
  for (const BackendStatus& status : all) {
    const auto wanted = [&](const std::string& glob) { return glob_match(glob, status.name); };
    if (pattern.empty() && std::none_of(options.backends.begin(), options.backends.end(), wanted)) {
      continue;
    }
    if (options.json) {
      std::cout << backend_status_to_json(status).dump() << '\n';
      continue;
    }
    print_backend(status);
    if (!options.suite.empty() && status.absent.empty()) {
      print_coverage(pool, status, find_suite(options.suite));
    }
  }
  return 0;
}

}  // namespace

Action add_support(CLI::App& command) {
  auto options = std::make_shared<Options>();
  command.add_option("--suite", options->suite, "also ask about every case of this suite");
  command.add_option("--backend", options->backends, "only these backends, globs allowed");
  command.add_option("--worker", options->workers, "name=command: another worker program");
  command.add_flag("--json", options->json, "one JSON object per backend");
  return [options] { return show_support(*options); };
}

}  // namespace fathom::cli
