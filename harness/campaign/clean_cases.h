// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/campaign/kill_matrix.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fathom {

/// Case number `index` of a draw: a pure function of both numbers, the same on every machine.
/// Queries log-uniform 1-256, keys 1-4096 (2 % square), every Fill, dtype, layout and mask, half
/// with a backward, some packed, grouped, or put by a Probe; sized so that a draw of many thousands
/// ends within the hour.
Case draw_clean_case(std::uint64_t draw, std::uint64_t index);

struct CleanRun {
  std::uint64_t draw = 0;
  std::map<std::string, std::size_t> judged;  ///< Backend -> Cases that passed or failed.
  std::map<std::string, std::size_t> other;   ///< Backend -> refused or vacuous.
  std::vector<Alarm> alarms;
};

/// Puts `count` drawn Cases, from number `first` on, to each backend.
CleanRun run_clean_cases(Lanes& lanes, const std::vector<std::string>& backends, std::uint64_t draw,
                         std::uint64_t first, std::uint64_t count,
                         const std::function<void(std::size_t done)>& on_progress);

}  // namespace fathom
