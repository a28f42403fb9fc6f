// SPDX-License-Identifier: Apache-2.0
#include "reports/markdown.h"

#include "reports/escape.h"
#include "reports/format.h"
#include "reports/outcome_style.h"
#include "reports/summary.h"
#include "reports/support_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace fathom {
namespace {

constexpr std::size_t listed_failures = 20;
constexpr std::size_t longest_text = 600;

using Cells = std::vector<std::string>;

std::string row_text(const Cells& cells) {
  return "| " + fmt::format("{}", fmt::join(cells, " | ")) + " |\n";
}

std::string table_head(const Cells& heads) {
  std::string rule = "|";
  for (std::size_t i = 0; i < heads.size(); ++i) rule += " --- |";
  return row_text(heads) + rule + "\n";
}

std::string plain(std::string_view text) {
  return markdown_text(shortened(text, longest_text));
}
std::string code(std::string_view text) {
  return markdown_code(shortened(text, longest_text));
}

std::string glyph_and_word(std::string_view kind, std::string_view word) {
  return std::string(outcome_style(kind).glyph) + " " + plain(word);
}

/// A section as a list of lines, of which as many are kept as fit: parts are added in order of
/// importance, and one that does not fit says how much it left out.
class Budget {
 public:
  void add(std::string_view head, const std::vector<std::string>& lines, std::string_view tail) {
    constexpr std::size_t reserve = 64;  // Room for the line that says what is missing.
    if (out_.size() + head.size() + tail.size() + reserve > markdown_limit) return;
    out_ += head;
    std::size_t written = 0;
    for (; written < lines.size(); ++written) {
      const std::size_t after = out_.size() + lines[written].size() + tail.size() + reserve;
      if (after > markdown_limit) break;
      out_ += lines[written];
    }
    if (written < lines.size()) out_ += fmt::format("\n... {} more\n", lines.size() - written);
    out_ += tail;
  }
  [[nodiscard]] const std::string& text() const { return out_; }

 private:
  std::string out_;
};

void add_backends(Budget& budget, const Report& report, const Summary& summary) {
  std::vector<std::string> lines;
  for (const auto& [backend, counts] : summary.by_backend) {
    std::string others;
    for (const auto& [word, count] : counts.by_verdict) {
      if (word == "pass") continue;
      others +=
          fmt::format("{}{} {}", others.empty() ? "" : ", ", format_count(count), plain(word));
    }
    const auto margin = summary.worst_passing.find(backend);
    const bool compared = margin != summary.worst_passing.end();
    lines.push_back(row_text({code(backend), format_count(count_in(counts, "pass")),
                              format_count(counts.total - count_in(counts, "unsupported")), others,
                              compared ? format_number(margin->second.share) : "–"}));
  }
  for (const BackendStatus& backend : report.backends) {
    if (backend.absent.empty()) continue;
    lines.push_back(
        row_text({code(backend.name), "–", "–", "absent: " + plain(backend.absent), "–"}));
  }
  budget.add("\n## Backends\n\n" + table_head({"backend", "pass", "of required", "other verdicts",
                                               "nearest pass to its limit"}),
             lines, "");
}

std::string cell_text(const MatrixCell& cell) {
  if (cell.empty()) return " ";
  const std::string kind = kind_of(cell);
  const std::string_view glyph = kind == "partial" ? "◐" : outcome_style(kind).glyph;
  std::string text = cell.required == 0
                         ? std::string(glyph) + " refused"
                         : fmt::format("{} {}/{}", glyph, cell.passed, cell.required);
  for (const int note : cell.notes) text += fmt::format(" ({})", note);
  return text;
}

void add_matrix(Budget& budget, const Report& report) {
  const SupportMatrix matrix = support_matrix(report);
  Cells heads{"mask", "dtype"};
  for (const std::string& column : matrix.columns) heads.push_back(code(column));
  std::vector<std::string> lines;
  for (const MatrixRow& row : matrix.rows) {
    Cells cells{code(row.mask), row.dtype};
    for (const MatrixCell& cell : row.cells) cells.push_back(cell_text(cell));
    lines.push_back(row_text(cells));
  }
  budget.add("\n## Support matrix\n\nPassing of required cases.\n\n" + table_head(heads), lines,
             "");
  lines.clear();
  for (std::size_t n = 0; n < matrix.notes.size(); ++n) {
    lines.push_back(fmt::format("{}. {}\n", n + 1, plain(matrix.notes[n])));
  }
  if (!lines.empty()) budget.add("\n", lines, "");
}

std::string failure_text(const Record& record) {
  std::string out =
      fmt::format("<details><summary>{} {} on {}</summary>\n\n", outcome_style(record).glyph,
                  html_text(outcome_text(record)), html_text(visible_text(column_of(record))));
  // A text of a worker never begins a line: CI systems read commands there.
  out += fmt::format("{} {}\n\nReason: {}\n", record.planned.id, code(to_string(record.planned.c)),
                     plain(record.reason));
  if (record.explanation) out += "\nWhat is wrong: " + plain(explanation_text(record)) + "\n\n";
  for (const Finding& finding : record.findings) {
    out += fmt::format("- {} {}: {}\n", code(finding.check), plain(finding.tensor),
                       plain(finding.message));
  }
  return out + "\n</details>\n\n";
}

void add_failures(Budget& budget, const Report& report) {
  const auto all = failures(report);
  if (all.empty()) return;
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(all.size(), listed_failures); ++i) {
    lines.push_back(failure_text(*all[i]));
  }
  const std::string rest = all.size() > listed_failures
                               ? fmt::format("... {} more\n", all.size() - listed_failures)
                               : "";
  budget.add(fmt::format("\n## Needs attention: {}\n\n", format_count(std::ssize(all))), lines,
             rest);
}

void add_expectations(Budget& budget, const Report& report) {
  std::vector<std::string> lines;
  for (const Record* record : with_expected(report, Expected::expected_fail)) {
    const ExpectationNote note = record->expectation.value_or(ExpectationNote{});
    lines.push_back(row_text({code(record->planned.id), code(column_of(*record)),
                              plain(outcome_text(*record)), plain(note.reason), plain(note.link)}));
  }
  if (!lines.empty()) {
    budget.add(
        "\n## Failed as expected\n\n" + table_head({"case", "backend", "outcome", "why", "link"}),
        lines, "");
  }
  lines.clear();
  for (const StaleExpectation& stale : report.stale) {
    lines.push_back(
        row_text({glyph_and_word("unexpected_pass", stale.problem), code(stale.note.match),
                  plain(stale.note.verdict), plain(stale.file)}));
  }
  if (lines.empty()) return;
  budget.add("\n## Stale expectations\n\n" + table_head({"problem", "which", "verdict", "file"}),
             lines, "");
}

void add_performance(Budget& budget, const Report& report) {
  std::vector<std::string> lines;
  for (const Performance& row : performance(report)) {
    lines.push_back(row_text(
        {code(row.backend), plain(row.pass), format_count(row.timed),
         row.flops_per_s ? format_flops(*row.flops_per_s) : "–",
         row.relative_time ? fmt::format("{:.2f}× on {}", *row.relative_time, row.shared) : "–",
         row.peak_bytes ? format_bytes(static_cast<double>(*row.peak_bytes)) : "–"}));
  }
  if (lines.empty()) return;
  budget.add(
      "\n## Latency and memory\n\nGeometric means over timed cases; the time over the fastest is "
      "over "
      "cases that another backend timed too.\n\n" +
          table_head({"backend", "pass", "timed", "mean rate", "time over fastest",
                      "largest peak memory"}),
      lines, "");
}

void add_published(Budget& budget, const Report& report) {
  std::vector<std::string> lines;
  for (const FigureBeside& row : figures_beside(report)) {
    const bool answered = !row.backend.empty();
    lines.push_back(row_text({plain(figure_name(*row.figure)), figure_range(*row.figure),
                              answered ? format_number(row.ours) : "–",
                              answered ? code(row.backend) : "not in this run",
                              plain(row.figure->compares + " " + row.figure->source)}));
  }
  if (lines.empty()) return;
  budget.add(
      "\n## Beside published figures\n\nOurs is the largest value of this run, against the "
      "fp64 oracle.\n\n" +
          table_head({"figure", "published", "ours", "backend", "what they compare"}),
      lines, "");
}

void add_environment(Budget& budget, const Report& report) {
  std::vector<std::string> lines;
  for (const auto& [key, value] : report.environment) {
    lines.push_back(row_text({plain(key), plain(value)}));
  }
  budget.add("\n## Environment\n\n" + table_head({"fact", "value"}), lines, "");
}

}  // namespace

std::string markdown_summary(const Report& report) {
  const Summary summary = summarise(report);
  const std::string_view glyph = summary.exit_code == 0 ? "✓" : "✗";
  Budget budget;
  budget.add(fmt::format("# fathom: {}\n\n**{} {}**\n\n{}\n", plain(report.suite), glyph,
                         plain(summary.headline), plain(power_sentence(report))),
             {}, "");
  add_backends(budget, report, summary);
  add_matrix(budget, report);
  add_failures(budget, report);
  add_performance(budget, report);
  add_expectations(budget, report);
  add_published(budget, report);
  add_environment(budget, report);
  return budget.text();
}

}  // namespace fathom
