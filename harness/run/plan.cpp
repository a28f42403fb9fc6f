// SPDX-License-Identifier: Apache-2.0
#include "harness/run/plan.h"

#include "harness/core/error.h"
#include "harness/core/text.h"

#include <algorithm>
#include <set>

namespace fathom {
namespace {

/// The targets of one backend that a pattern names. A pattern without a slash asks for the
/// backend's own choice of lowering.
std::vector<std::string> matching(const BackendStatus& status, const std::string& pattern) {
  const std::size_t slash = pattern.find('/');
  if (!glob_match(pattern.substr(0, slash), status.name)) return {};
  if (slash == std::string::npos) return {status.name};
  std::vector<std::string> targets;
  for (const std::string& lowering : status.lowerings) {
    if (glob_match(pattern.substr(slash + 1), lowering)) {
      targets.push_back(status.name + "/" + lowering);
    }
  }
  return targets;
}

}  // namespace

std::vector<std::string> choose_targets(const std::vector<BackendStatus>& backends,
                                        const std::vector<std::string>& patterns) {
  std::vector<std::string> targets;
  if (patterns.empty()) {
    for (const BackendStatus& status : backends) {
      if (status.absent.empty()) targets.push_back(status.name);
    }
    if (targets.empty()) throw UsageError("no backend is present; `fathom doctor` says why");
    return targets;
  }
  for (const std::string& pattern : patterns) {
    const std::size_t before = targets.size();
    for (const BackendStatus& status : backends) {
      for (std::string& target : matching(status, pattern)) targets.push_back(std::move(target));
    }
    if (targets.size() > before) continue;
    std::vector<std::string_view> names;
    for (const BackendStatus& status : backends) names.push_back(status.name);
    throw UsageError("--backend '" + pattern + "' names no backend" + did_you_mean(pattern, names) +
                     "; `fathom support` lists them");
  }
  return targets;
}

std::vector<PlannedCase> make_plan(const std::vector<Case>& cases,
                                   const std::vector<std::string>& targets, const Filter& filter) {
  std::vector<PlannedCase> plan;
  std::set<std::string> seen;
  for (const Case& c : cases) {
    for (const std::string& target : targets) {
      PlannedCase planned{case_id(target, c), target, c};
      if (!filter.matches(filter_row(planned))) continue;
      if (seen.insert(planned.id).second) plan.push_back(std::move(planned));
    }
  }
  return plan;
}

}  // namespace fathom
