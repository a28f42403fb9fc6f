// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cases/suite.h"
#include "harness/core/report.h"
#include "harness/run/worker_process.h"

#include <filesystem>
#include <string>
#include <vector>

namespace fathom::cli {

/// Where suites and expectations lie: FATHOM_HOME, else the source folder of the build.
std::filesystem::path home_folder();

/// Every worker program beside the driver (workers/fathom-worker-*), sorted by name.
std::vector<WorkerCommand> built_workers();

/// Backends that were left out of the build, with the reason.
std::vector<BackendStatus> absent_backends();

/// A worker that only campaigns use (campaign/fathom-worker-NAME beside the driver).
WorkerCommand campaign_worker(const std::string& name);

/// `name=command with arguments`, as given to --worker. Throws UsageError.
WorkerCommand parse_worker(const std::string& text);

/// Workers that start only if a --backend names them (workers/on_demand/fathom-worker-NAME beside
/// the driver): `NAME` or `NAME:argument`, as in `callable:package.module:function`.
std::vector<WorkerCommand> named_workers(const std::vector<std::string>& backends);

/// The built workers, those that `backends` names, and those of --worker; one of the same name
/// replaces the built one.
std::vector<WorkerCommand> all_workers(const std::vector<std::string>& extra,
                                       const std::vector<std::string>& backends = {});

/// A suite by name (cases/NAME.json) or by path. Throws UsageError with the names there are.
Suite find_suite(const std::string& name_or_path);

/// Names of the suites in cases/, sorted.
std::vector<std::string> suite_names();

/// Every backends/*/expectations.json.
std::vector<Expectation> all_expectations();

}  // namespace fathom::cli
