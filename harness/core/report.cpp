// SPDX-License-Identifier: Apache-2.0
#include "harness/core/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace fathom {

std::string tally_word(const Record& record) {
  return std::string(record.expected == Expected::no ? to_string(record.verdict)
                                                     : to_string(record.expected));
}

Tally tally(const std::vector<Record>& records) {
  Tally counts;
  for (const Record& record : records) {
    ++counts.by_verdict[tally_word(record)];
    ++counts.total;
  }
  return counts;
}

std::map<std::string, Tally> tally_by_backend(const std::vector<Record>& records) {
  std::map<std::string, Tally> backends;
  for (const Record& record : records) {
    const std::string& name =
        record.answered_by.empty() ? record.planned.backend : record.answered_by;
    ++backends[name].by_verdict[tally_word(record)];
    ++backends[name].total;
  }
  return backends;
}

Index count_in(const Tally& tally, std::string_view word) {
  const auto at = tally.by_verdict.find(std::string(word));
  return at == tally.by_verdict.end() ? 0 : at->second;
}

namespace {

bool is_tagged(const Record& record, std::string_view tag) {
  const std::vector<std::string>& tags = record.planned.c.tags;
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

}  // namespace

std::map<std::string, double> ours_beside(const PublishedFigure& figure,
                                          const std::vector<Record>& records) {
  std::map<std::string, double> ours;
  for (const Record& record : records) {
    if (!is_tagged(record, "published")) continue;
    if (to_string(record.planned.c.problem.dtype) != figure.dtype) continue;
    for (const TensorMetrics& tensor : record.tensors) {
      const auto& named = figure.tensors;
      if (std::find(named.begin(), named.end(), tensor.tensor) == named.end()) continue;
      double& largest = ours[record.answered_by];
      // Written so that a NaN, once seen, stays.
      if (!std::isnan(largest) && !(tensor.max_abs <= largest)) largest = tensor.max_abs;
    }
  }
  return ours;
}

namespace {

/// What each word means for the exit code; words that are not here are harmless.
struct ExitRow {
  std::string_view word;
  int code;
};
constexpr std::array exit_rows{
    ExitRow{"error", 3},   ExitRow{"fail", 1},           ExitRow{"crash", 1},
    ExitRow{"hang", 1},    ExitRow{"protocol_error", 1}, ExitRow{"out_of_memory", 1},
    ExitRow{"vacuous", 4}, ExitRow{"not_run", 4},        ExitRow{"unexpected_pass", 2},
};
/// The code that wins if several apply.
constexpr std::array exit_order{3, 1, 4, 2};

/// Cases that really were put to a backend.
Index judged(const Tally& counts) {
  return counts.total - count_in(counts, "unsupported") - count_in(counts, "not_run");
}

bool applies(const Report& report, const Tally& counts, int code) {
  for (const ExitRow& row : exit_rows) {
    if (row.code == code && count_in(counts, row.word) > 0) return true;
  }
  if (code == 4) return judged(counts) == 0;
  return code == 2 && !report.stale.empty();
}

std::string plural(Index n, std::string_view one) {
  return std::to_string(n) + " " + std::string(one) + (n == 1 ? "" : "s");
}

}  // namespace

int exit_code(const Report& report) {
  const Tally counts = tally(report.records);
  for (const int code : exit_order) {
    if (applies(report, counts, code)) return code;
  }
  return 0;
}

std::string power_sentence(const Report& report) {
  if (!report.power) {
    return "Power not measured: whether these cases see planted defects is unknown "
           "(fathom selftest --suite " +
           (report.suite.empty() ? "NAME" : report.suite) + ").";
  }
  const MeasuredPower& power = *report.power;
  std::string text = "Power: these cases kill " + std::to_string(power.killed) + " of " +
                     std::to_string(power.of) + " planted defects";
  if (!power.survivors.empty()) {
    text += "; survivors: ";
    constexpr std::size_t shown = 5;
    for (std::size_t i = 0; i < std::min(shown, power.survivors.size()); ++i) {
      text += (i > 0 ? ", " : "") + power.survivors[i];
    }
    if (power.survivors.size() > shown) {
      text += " and " + std::to_string(power.survivors.size() - shown) + " more";
    }
  }
  return text + " (measured " + power.measured_utc + ").";
}

std::string hash_of_cases(const std::vector<Case>& cases) {
  std::set<std::string> texts;
  for (const Case& c : cases) texts.insert(to_string(c));
  std::string all;
  for (const std::string& text : texts) all += text + '\n';
  return case_id(all, Case{});
}

std::string headline(const Report& report) {
  const Tally counts = tally(report.records);
  if (judged(counts) == 0) {
    return "NOTHING RAN: none of " + plural(counts.total, "planned case") + " was judged.";
  }
  std::string bad;
  for (const ExitRow& row : exit_rows) {
    const Index n = count_in(counts, row.word);
    if (n == 0) continue;
    if (!bad.empty()) bad += ", ";
    bad += std::to_string(n) + " " + std::string(row.word);
  }
  const std::string good = std::to_string(count_in(counts, "pass")) + " of " +
                           plural(judged(counts), "judged case") + " pass";
  std::string rest;
  if (const Index n = count_in(counts, "expected_fail")) {
    rest += ", " + std::to_string(n) + " fail as expected";
  }
  if (const Index n = count_in(counts, "unsupported")) {
    rest += ", " + std::to_string(n) + " unsupported";
  }
  if (bad.empty() && report.stale.empty()) return "CONFORMANT: " + good + rest + ".";
  if (!report.stale.empty()) {
    bad += (bad.empty() ? "" : ", ") +
           plural(static_cast<Index>(report.stale.size()), "stale expectation");
  }
  return "NOT CONFORMANT: " + bad + "; " + good + rest + ".";
}

}  // namespace fathom
