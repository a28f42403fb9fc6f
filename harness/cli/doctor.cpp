// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/commands.h"
#include "harness/cli/exit_codes.h"
#include "harness/cli/places.h"
#include "harness/core/text.h"
#include "harness/inputs/inputs.h"
#include "harness/protocol/shared_memory.h"
#include "harness/run/environment.h"
#include "harness/run/worker_pool.h"
#include "reference/oracle.h"

#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <memory>

namespace fathom::cli {
namespace {

/// One line of the doctor's findings; an empty trouble means that all is well.
struct Symptom {
  std::string what;
  std::string detail;
  std::string trouble;
};

/// With Q = 0 every weight is 1/n, so the LSE is ln n whatever the machine.
Symptom check_oracle() {
  if (std::string reason = reference::why_cpu_unfit(); !reason.empty()) {
    return {"oracle", "", std::move(reason)};
  }
  const Case c = parse_case(
      "dir=fwd dtype=f64 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=4x100 mask=full fill=q_zero seed=1");
  const auto oracle = reference::make_oracle();
  const auto answer = oracle->answer(c.problem, upcast_arithmetic(Dtype::f64), make_inputs(c));
  const double error = std::abs(answer->at(TensorName::lse).value.at(0) - std::log(100.0));
  if (!(error <= 1e-14)) {
    return {"oracle", "", fmt::format("LSE of 100 equal keys is off by {:.1e}", error)};
  }
  return {"oracle", "LSE of 100 equal keys is ln 100", ""};
}

Symptom check_memory() {
  try {
    const SharedMemory memory(Index{1} << 20);
    return {"shared memory", "memfd with seals", ""};
  } catch (const std::exception& e) {
    return {"shared memory", "", e.what()};
  }
}

Symptom check_suites() {
  try {
    std::vector<std::string> counts;
    for (const std::string& name : suite_names()) {
      counts.push_back(fmt::format("{} ({})", name, find_suite(name).cases.size()));
    }
    if (counts.empty()) {
      return {"suites", "",
              "none found in " + (home_folder() / "cases").string() +
                  "; set FATHOM_HOME to the folder that holds cases/"};
    }
    return {"suites", join(counts, ", "), ""};
  } catch (const std::exception& e) {
    return {"suites", "", e.what()};
  }
}

Symptom check_expectations() {
  try {
    return {"expectations", fmt::format("{} entries", all_expectations().size()), ""};
  } catch (const std::exception& e) {
    return {"expectations", "", e.what()};
  }
}

bool print(const Symptom& symptom) {
  const bool well = symptom.trouble.empty();
  std::cout << fmt::format("{:<5} {:<16} {}\n", well ? "ok" : "BAD", symptom.what,
                           well ? symptom.detail : symptom.trouble);
  return well;
}

/// An absent backend is no illness: most machines have no GPU.
bool print_backends(const std::vector<std::string>& workers) {
  WorkerPool pool(all_workers(workers), {});
  bool any = false;
  for (const BackendStatus& status : pool.hello()) {
    const bool here = status.absent.empty();
    any = any || here;
    std::cout << fmt::format("{:<5} {:<16} {}\n", here ? "ok" : "--", status.name,
                             here ? status.version + " on " + status.device : status.absent);
  }
  if (!any) std::cout << "BAD   backends         none is present\n";
  return any;
}

}  // namespace

Action add_doctor(CLI::App& command) {
  auto workers = std::make_shared<std::vector<std::string>>();
  command.add_option("--worker", *workers, "name=command: another worker program");
  return [workers] {
    for (const auto& [key, value] : capture_environment()) {
      std::cout << fmt::format("      {:<16} {}\n", key, value);
    }
    bool well = true;
    for (const Symptom& symptom :
         {check_memory(), check_oracle(), check_suites(), check_expectations()}) {
      well = print(symptom) && well;
    }
    well = print_backends(*workers) && well;
    return well ? 0 : exit_infrastructure;
  };
}

}  // namespace fathom::cli
