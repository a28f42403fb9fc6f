// SPDX-License-Identifier: Apache-2.0
#include "reports/escape.h"
#include "reports/format.h"
#include "reports/outcome_style.h"
#include "reports/summary.h"
#include "reports/text_table.h"
#include "reports/writers.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom {
namespace {

using Align = TextTable::Align;

constexpr std::size_t console_width = 100;
constexpr std::size_t shown_cases = 20;
constexpr std::size_t longest_reason = 400;

/// ANSI colours by family; the words stay readable without them.
std::string painted(std::string_view text, std::string_view family, bool colour) {
  if (!colour) return std::string(text);
  const std::string_view code = family == "good"     ? "34"
                                : family == "bad"    ? "33"
                                : family == "broken" ? "1"
                                : family == "doubt"  ? "35"
                                                     : "2";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string title(std::string_view text, bool colour) {
  return "\n" + (colour ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string(text)) + "\n";
}

/// Every word but pass, with its count: `2 fail, 1 crash`.
std::string other_counts(const Tally& tally) {
  std::string text;
  for (const auto& [word, count] : tally.by_verdict) {
    if (word == "pass") continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", format_count(count), word);
  }
  return text;
}

std::string backends_part(const Report& report, const Summary& summary, bool colour) {
  TextTable table({{"backend"},
                   {"pass", Align::right},
                   {"of", Align::right},
                   {"nearest limit", Align::right},
                   {"other verdicts", Align::left, 400}});
  for (const auto& [backend, counts] : summary.by_backend) {
    const auto margin = summary.worst_passing.find(backend);
    const bool compared = margin != summary.worst_passing.end();
    table.add({backend, format_count(count_in(counts, "pass")),
               format_count(counts.total - count_in(counts, "unsupported")),
               compared ? format_number(margin->second.share) : "-", other_counts(counts)});
  }
  std::string out = title("Backends", colour) + table.text("  ", console_width);
  for (const BackendStatus& backend : report.backends) {
    if (backend.absent.empty()) continue;
    out +=
        fmt::format("  {} absent: {}\n", visible_text(backend.name), visible_text(backend.absent));
  }
  return out;
}

/// `[x] fail(accuracy)  eigen  id`, the case below it, and its reason below that.
std::string case_lines(const Record& record, std::string_view why, bool colour) {
  const OutcomeStyle& style = outcome_style(record);
  std::string out = fmt::format(
      "  {}  {}  {}\n",
      painted(fmt::format("[{}] {}", style.plain, outcome_text(record)), style.family, colour),
      visible_text(column_of(record)), visible_text(record.planned.id));
  out += wrapped(visible_text(to_string(record.planned.c)), "      ");
  return out + wrapped(shortened(visible_text(why), longest_reason), "      ");
}

std::string more(std::size_t all, std::size_t shown) {
  return all > shown ? fmt::format("  ... {} more\n", all - shown) : "";
}

std::string failures_part(const Report& report, bool colour) {
  const auto all = failures(report);
  if (all.empty()) return "";
  const std::size_t shown = std::min(all.size(), shown_cases);
  std::string out = title("Needs attention", colour);
  for (std::size_t i = 0; i < shown; ++i) {
    out += case_lines(*all[i], all[i]->reason, colour);
    if (!all[i]->explanation) continue;
    out += wrapped(shortened(visible_text(explanation_text(*all[i])), longest_reason), "      ");
  }
  return out + more(all.size(), shown);
}

/// Foretold failures, one line per Expectation: how many cases, which, where it is explained.
std::string expected_part(const Report& report, bool colour) {
  const auto matched = matched_expectations(report);
  if (matched.empty()) return "";
  std::string out = title("Failed as expected", colour);
  for (const auto& [note, count] : matched) {
    out += fmt::format("  {} x {}  {}\n", format_count(count), visible_text(note.verdict),
                       visible_text(note.match));
    out += wrapped(shortened(visible_text(note.reason), longest_reason), "      ");
    if (!note.link.empty()) out += "      " + visible_text(note.link) + "\n";
  }
  return out;
}

std::string stale_part(const Report& report, bool colour) {
  if (report.stale.empty()) return "";
  std::string out = title("Stale expectations", colour);
  for (const StaleExpectation& stale : report.stale) {
    out += fmt::format("  {}: {} ({}, {})\n", visible_text(stale.problem),
                       visible_text(stale.note.match), visible_text(stale.note.verdict),
                       visible_text(stale.file));
  }
  return out;
}

std::string performance_part(const Report& report, bool colour) {
  const auto rows = performance(report);
  if (rows.empty()) return "";
  TextTable table({{"backend"},
                   {"pass"},
                   {"timed", Align::right},
                   {"mean rate", Align::right},
                   {"mean traffic", Align::right},
                   {"over fastest", Align::right},
                   {"peak memory", Align::right}});
  for (const Performance& row : rows) {
    table.add(
        {row.backend, row.pass, format_count(row.timed),
         row.flops_per_s ? format_flops(*row.flops_per_s) : "-",
         row.bytes_per_s ? format_traffic(*row.bytes_per_s) : "-",
         row.relative_time ? fmt::format("{:.2f}x of {}", *row.relative_time, row.shared) : "-",
         row.peak_bytes ? format_bytes(static_cast<double>(*row.peak_bytes)) : "-"});
  }
  return title("Latency and memory (geometric means over timed cases)", colour) +
         table.text("  ", console_width);
}

std::string published_part(const Report& report, bool colour) {
  const auto rows = figures_beside(report);
  if (rows.empty()) return "";
  std::string out =
      title("Beside published figures (ours: largest, against the fp64 oracle)", colour);
  const PublishedFigure* last = nullptr;
  for (const FigureBeside& row : rows) {
    if (row.figure != last) {
      out += wrapped(visible_text(figure_name(*row.figure) + " " + figure_range(*row.figure) +
                                  " (" + row.figure->compares + ")"),
                     "  ");
    }
    last = row.figure;
    out += row.backend.empty() ? "      not in this run\n"
                               : fmt::format("      {:<9} {}\n", format_number(row.ours),
                                             visible_text(row.backend));
  }
  return out;
}

}  // namespace

std::string console_summary(const Report& report, bool colour) {
  const Summary summary = summarise(report);
  std::string out = backends_part(report, summary, colour) + performance_part(report, colour) +
                    published_part(report, colour) + expected_part(report, colour) +
                    stale_part(report, colour) + failures_part(report, colour);
  const std::string_view family = summary.exit_code == 0 ? "good" : "bad";
  std::string last = wrapped(visible_text(summary.headline), "");
  last.pop_back();  // The line break stays outside the colour.
  return out + "\n" + wrapped(visible_text(power_sentence(report)), "") + "\n" +
         painted(last, family, colour) + "\n";
}

}  // namespace fathom
