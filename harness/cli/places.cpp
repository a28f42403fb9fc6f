// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/places.h"

#include "harness/core/error.h"
#include "harness/core/record.h"
#include "harness/core/text.h"
#include "harness/run/worker_pool.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace fathom::cli {
namespace fs = std::filesystem;

fs::path home_folder() {
  if (const char* const home = std::getenv("FATHOM_HOME")) return home;
  return FATHOM_SOURCE_DIR;
}

namespace {

constexpr std::string_view prefix = "fathom-worker-";

/// Where the driver's program lies.
fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

}  // namespace

WorkerCommand campaign_worker(const std::string& name) {
  return {name, {(program_folder() / "campaign" / (std::string(prefix) + name)).string()}};
}

std::vector<BackendStatus> absent_backends() {
  std::error_code error;
  std::vector<BackendStatus> absent;
  for (const auto& entry : fs::directory_iterator(program_folder() / "workers" / "absent", error)) {
    BackendStatus status;
    status.name = entry.path().filename().string();
    std::ifstream stream(entry.path());
    std::getline(stream, status.absent);
    if (!status.absent.empty()) absent.push_back(std::move(status));
  }
  return absent;
}

namespace {

std::vector<WorkerCommand> workers_in(const fs::path& folder) {
  std::error_code error;
  std::vector<WorkerCommand> workers;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(prefix)) {
      workers.push_back({file.substr(prefix.size()), {entry.path().string()}});
    }
  }
  std::sort(workers.begin(), workers.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return workers;
}

}  // namespace

std::vector<WorkerCommand> built_workers() {
  return workers_in(program_folder() / "workers");
}

std::vector<WorkerCommand> named_workers(const std::vector<std::string>& backends) {
  std::vector<WorkerCommand> named;
  for (const WorkerCommand& worker : workers_in(program_folder() / "workers" / "on_demand")) {
    for (const std::string& text : backends) {
      WorkerCommand command{backend_of(text), worker.argv};
      if (command.name.starts_with(worker.name + ":")) {
        command.argv.push_back(command.name.substr(worker.name.size() + 1));
      } else if (command.name != worker.name) {
        continue;
      }
      named.push_back(std::move(command));
    }
  }
  return named;
}

WorkerCommand parse_worker(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError("--worker '" + text +
                     "': write name=command, e.g. mine='python3 my_worker.py'");
  }
  WorkerCommand worker{text.substr(0, equals), split_command(text.substr(equals + 1))};
  if (worker.argv.empty()) throw UsageError("--worker '" + text + "' has no command");
  const std::string& program = worker.argv.front();
  if (program.find('/') != std::string::npos && !fs::exists(program)) {
    throw UsageError("--worker '" + worker.name + "': there is no program " + program);
  }
  return worker;
}

std::vector<WorkerCommand> all_workers(const std::vector<std::string>& extra,
                                       const std::vector<std::string>& backends) {
  std::vector<WorkerCommand> workers = built_workers();
  for (WorkerCommand& worker : named_workers(backends)) workers.push_back(std::move(worker));
  for (const std::string& text : extra) {
    WorkerCommand worker = parse_worker(text);
    const auto same = std::find_if(workers.begin(), workers.end(),
                                   [&](const auto& w) { return w.name == worker.name; });
    if (same != workers.end())
      *same = std::move(worker);
    else
      workers.push_back(std::move(worker));
  }
  return workers;
}

std::vector<std::string> suite_names() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(home_folder() / "cases", error)) {
    const fs::path& file = entry.path();
    const bool schema = file.stem().extension() == ".schema";
    if (file.extension() == ".json" && !schema) names.push_back(file.stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Suite find_suite(const std::string& name_or_path) {
  if (name_or_path.ends_with(".json")) {
    if (!fs::exists(name_or_path)) throw UsageError("there is no suite file " + name_or_path);
    return load_suite(name_or_path);
  }
  const std::vector<std::string> names = suite_names();
  if (std::find(names.begin(), names.end(), name_or_path) == names.end()) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    throw UsageError("there is no suite '" + name_or_path + "'" +
                     did_you_mean(name_or_path, views) + "; there are: " + join(names, ", "));
  }
  return load_suite(home_folder() / "cases" / (name_or_path + ".json"));
}

std::vector<Expectation> all_expectations() {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(home_folder() / "backends", error)) {
    const fs::path file = entry.path() / "expectations.json";
    if (fs::exists(file)) files.push_back(file);
  }
  std::sort(files.begin(), files.end());
  std::vector<Expectation> all;
  for (const fs::path& file : files) {
    for (Expectation& expectation : load_expectations(file)) all.push_back(std::move(expectation));
  }
  return all;
}

}  // namespace fathom::cli
