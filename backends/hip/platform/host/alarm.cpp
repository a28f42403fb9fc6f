// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platform/host/alarm.h"

#include <algorithm>
#include <array>

namespace fathom::hip::host {

std::string_view to_string(AlarmKind kind) {
  static constexpr std::array<std::string_view, 6> words{
      "race", "divergence", "uninitialised", "shared_bounds", "global_bounds", "not_uniform",
  };
  return words[static_cast<std::size_t>(kind)];
}

void Alarms::add(AlarmKind kind, std::string sentence) {
  constexpr std::ptrdiff_t most_of_a_kind = 4;
  const std::lock_guard lock(mutex_);
  ++count_;
  const auto same = [kind](const Alarm& alarm) { return alarm.kind == kind; };
  if (std::count_if(first_.begin(), first_.end(), same) < most_of_a_kind) {
    first_.push_back({kind, std::move(sentence)});
  }
}

bool Alarms::has(AlarmKind kind) const {
  return std::any_of(first_.begin(), first_.end(),
                     [kind](const Alarm& alarm) { return alarm.kind == kind; });
}

std::string Alarms::summary() const {
  if (count_ == 0) return "";
  const Alarm& alarm = first_.front();
  return std::to_string(count_) +
         " alarms of the executor, the first: " + std::string(to_string(alarm.kind)) + ": " +
         alarm.sentence;
}

}  // namespace fathom::hip::host
