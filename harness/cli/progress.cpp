// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/progress.h"

#include <fmt/format.h>

#include <iostream>

namespace fathom::cli {
namespace {

constexpr std::chrono::milliseconds redraw{100};
constexpr std::chrono::seconds heartbeat{30};
constexpr std::size_t width = 110;

bool worth_a_line(const Record& record) {
  return record.expected == Expected::unexpected_pass ||
         (record.expected == Expected::no && record.verdict != Verdict::pass &&
          record.verdict != Verdict::unsupported);
}

}  // namespace

std::string ProgressLine::counts() const {
  std::string text;
  for (const auto& [word, count] : words_) text += fmt::format("{} {} ", word, count);
  return text;
}

void ProgressLine::status(const Progress& progress, const std::string& what) {
  const double share = progress.total == 0 ? 100.0
                                           : 100.0 * static_cast<double>(progress.done) /
                                                 static_cast<double>(progress.total);
  const std::string line = fmt::format("[{:5}/{} {:3.0f}%] {}| {}", progress.done, progress.total,
                                       share, counts(), what);
  if (terminal_) {
    std::cerr << "\r\x1b[K" << line.substr(0, width) << std::flush;
  } else {
    std::cerr << line << '\n';
  }
}

void ProgressLine::begin(const Progress& progress, const PlannedCase& starting) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (now - last_ < (terminal_ ? Clock::duration(redraw) : Clock::duration(heartbeat))) return;
  last_ = now;
  status(progress, starting.backend + " " + to_string(starting.c));
}

void ProgressLine::end(const Progress& /*progress*/, const Record& record) {
  ++words_[tally_word(record)];
  if (quiet_ || !worth_a_line(record)) return;
  if (terminal_) std::cerr << "\r\x1b[K";
  const std::string& who = record.answered_by.empty() ? record.planned.backend : record.answered_by;
  std::cerr << fmt::format("{} {} {}: {} ({})\n", record.planned.id, outcome_text(record), who,
                           record.reason, to_string(record.planned.c));
}

void ProgressLine::close() {
  if (!quiet_ && terminal_) std::cerr << "\r\x1b[K" << std::flush;
}

}  // namespace fathom::cli
