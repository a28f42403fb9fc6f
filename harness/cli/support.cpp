// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/commands.h"
#include "harness/cli/conventions.h"
#include "harness/cli/graph.h"
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

struct SupportArguments {
  std::string suite;
  std::vector<std::string> backends;
  std::vector<std::string> workers;
  bool json = false;
  bool conventions = false;
  bool graph = false;
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
      answer = pool.client(status.name).support(support_request(status.name, lowering, c.problem));
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

/// The backends that some glob matches; all without globs.
std::vector<BackendStatus> choose(const std::vector<BackendStatus>& all,
                                  const std::vector<std::string>& globs) {
  std::vector<BackendStatus> chosen;
  for (const BackendStatus& status : all) {
    const auto wanted = [&](const std::string& glob) { return glob_match(glob, status.name); };
    if (globs.empty() || std::any_of(globs.begin(), globs.end(), wanted)) chosen.push_back(status);
  }
  return chosen;
}

int show_support(const SupportArguments& options) {
  WorkerPool pool(all_workers(options.workers, options.backends), {});
  const std::vector<BackendStatus> all = pool.hello();
  const std::vector<BackendStatus> chosen = choose(all, options.backends);
  if (options.conventions) {
    print_conventions(pool, chosen);
    return 0;
  }
  if (options.graph) {
    print_graph(pool, chosen);
    return 0;
  }
  for (const BackendStatus& status : chosen) {
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
  auto options = std::make_shared<SupportArguments>();
  CLI::Option* suite =
      command.add_option("--suite", options->suite, "also ask about every case of this suite");
  command.add_option("--backend", options->backends, "only these backends, globs allowed");
  command.add_option("--worker", options->workers, "name=command: another worker program");
  CLI::Option* json = command.add_flag("--json", options->json, "one JSON object per backend");
  command
      .add_flag("--conventions", options->conventions,
                "try every backend and say what it really does: causal corner, window ends, LSE "
                "base and layout, rows that see no key, default scale")
      ->excludes(suite)
      ->excludes(json);
  command
      .add_flag("--graph", options->graph,
                "does it survive torch.compile(fullgraph=True) with dynamic lengths, does it wait "
                "for the device, can a CUDA graph capture it")
      ->excludes(suite)
      ->excludes(json);
  return [options] { return show_support(*options); };
}

}  // namespace fathom::cli
