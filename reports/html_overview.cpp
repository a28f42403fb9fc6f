// SPDX-License-Identifier: Apache-2.0
#include "reports/escape.h"
#include "reports/format.h"
#include "reports/html_builder.h"
#include "reports/html_parts.h"
#include "reports/html_sections.h"
#include "reports/outcome_style.h"
#include "reports/summary.h"
#include "reports/support_matrix.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom {
namespace {

constexpr std::size_t shown_failures = 50;

// ---- One card per backend --------------------------------------------------------------------

/// Counts as one bar, a segment per family in the order good, none, doubt, bad, broken.
void add_tally_bar(HtmlBuilder& html, const Tally& tally) {
  html.open("svg", {{"class", "tally"},
                    {"viewBox", "0 0 100 6"},
                    {"preserveAspectRatio", "none"},
                    {"aria-hidden", "true"}});
  double at = 0;
  for (const std::string_view family : {"good", "none", "doubt", "bad", "broken"}) {
    Index count = 0;
    for (const auto& [word, n] : tally.by_verdict) {
      if (outcome_style(word).family == family) count += n;
    }
    const double width = 100.0 * static_cast<double>(count) / static_cast<double>(tally.total);
    if (count == 0) continue;
    html.leaf("rect", {{"class", std::string(family)},
                       {"x", fmt::format("{:.2f}", at)},
                       {"width", fmt::format("{:.2f}", width)},
                       {"height", "6"}});
    at += width;
  }
  html.close();
}

/// The query of one column of the matrix, exact although `backend:x` matches every lowering of x.
std::string column_query(std::string_view column) {
  return "backend:" + query_value(column) + " lowering:" + query_value(lowering_of(column));
}

void add_card(HtmlBuilder& html, const std::string& backend, const Tally& tally,
              const Summary& summary) {
  const Index required = tally.total - count_in(tally, "unsupported");
  html.open("article", {{"class", "card"}}).element("h3", backend);
  html.open("p", {{"class", "score"}}).element("strong", format_count(count_in(tally, "pass")));
  html.text(" of " + format_count(required) + " required cases pass").close();
  add_tally_bar(html, tally);
  html.open("ul", {{"class", "counts"}});
  for (const auto& [word, count] : tally.by_verdict) {
    html.open("li").open(
        "a", {{"href", query_address(column_query(backend) + " " + query_of_kind(word))}});
    add_glyph(html, word == "fail" ? "accuracy" : word,
              format_count(count) + " " + (word == "fail" ? "fail" : word), true);
    html.close().close();
  }
  html.close();
  if (const auto margin = summary.worst_passing.find(backend);
      margin != summary.worst_passing.end()) {
    html.open("p", {{"class", "small"}}).text("nearest pass to its limit: ");
    html.element("a", {{"href", case_address(margin->second.case_id)}},
                 fmt::format("{} of {} ({})", format_number(margin->second.share),
                             margin->second.check, margin->second.tensor));
    html.close();
  }
  html.close().line();
}

void add_cards(HtmlBuilder& html, const Report& report) {
  const Summary summary = summarise(report);
  html.open("div", {{"class", "cards"}});
  for (const auto& [backend, counts] : summary.by_backend) {
    add_card(html, backend, counts, summary);
  }
  for (const BackendStatus& backend : report.backends) {
    if (backend.absent.empty() || summary.by_backend.count(backend.name) != 0) continue;
    html.open("article", {{"class", "card absent"}}).element("h3", backend.name).open("p");
    add_glyph(html, "unsupported", "absent: " + backend.absent, true);
    html.close().close().line();
  }
  html.close();
}

// ---- The support matrix ----------------------------------------------------------------------

std::string cell_title(const MatrixCell& cell) {
  std::string title = fmt::format("{} of {} required cases pass", cell.passed, cell.required);
  for (const auto& [kind, count] : cell.kinds) {
    if (kind != "pass") title += fmt::format(", {} {}", count, kind);
  }
  if (cell.worst_margin) {
    title += fmt::format("; worst error {} of its limit", format_number(*cell.worst_margin));
  }
  return title;
}

void add_cell(HtmlBuilder& html, const MatrixRow& row, const std::string& column,
              const MatrixCell& cell) {
  if (cell.empty()) {
    html.open("td", {{"class", "cell empty"}}).element("span", {{"class", "hidden"}}, "no case");
    html.close();
    return;
  }
  const std::string kind = kind_of(cell);
  const std::string query =
      fmt::format("family:{} dtype:{} {}", query_value(row.mask), row.dtype, column_query(column));
  html.open("td", {{"class", "cell"}, {"data-kind", kind}});
  html.open("a", {{"href", query_address(query)}, {"title", cell_title(cell)}});
  add_glyph(html, kind, kind, false);
  html.element("span", {{"class", "score"}},
               cell.required == 0 ? "refused" : fmt::format("{}/{}", cell.passed, cell.required));
  if (cell.worst_margin) {
    add_bar(html, *cell.worst_margin,
            "worst error " + format_number(*cell.worst_margin) + " of its limit");
  }
  html.close();
  for (const int note : cell.notes) {
    html.open("sup").element("a", {{"href", fmt::format("#note-{}", note)}}, std::to_string(note));
    html.close();
  }
  html.close();
}

/// A name that may be broken after its separators: `sdpa:math/` `loop+` `dense_mask`.
void add_breakable(HtmlBuilder& html, std::string_view name) {
  while (true) {
    const std::size_t at = name.find_first_of("/+");
    html.text(name.substr(0, at == std::string_view::npos ? at : at + 1));
    if (at == std::string_view::npos) return;
    html.leaf("wbr", {});
    name.remove_prefix(at + 1);
  }
}

void add_matrix_rows(HtmlBuilder& html, const SupportMatrix& matrix) {
  for (std::size_t r = 0; r < matrix.rows.size(); ++r) {
    const MatrixRow& row = matrix.rows[r];
    html.open("tr", {{"class", r == 0 || matrix.rows[r - 1].mask != row.mask ? "first" : ""}});
    if (r == 0 || matrix.rows[r - 1].mask != row.mask) {
      const auto span =
          std::count_if(matrix.rows.begin(), matrix.rows.end(),
                        [&](const MatrixRow& other) { return other.mask == row.mask; });
      html.element("th", {{"scope", "rowgroup"}, {"rowspan", std::to_string(span)}}, row.mask);
    }
    html.element("th", {{"scope", "row"}, {"class", "dtype"}}, row.dtype);
    for (std::size_t c = 0; c < matrix.columns.size(); ++c) {
      add_cell(html, row, matrix.columns[c], row.cells[c]);
    }
    html.close().line();
  }
}

void add_legend(HtmlBuilder& html) {
  html.open("ul", {{"class", "legend"}, {"aria-label", "Legend"}});
  html.open("li");
  add_glyph(html, "partial", "passes in part", true);
  html.close();
  for (const OutcomeStyle& style : outcome_styles()) {
    html.open("li");
    add_glyph(html, style.kind, style.kind, true);
    html.close();
  }
  html.open("li");
  add_bar(html, 0.4, "example");
  html.element("span", {{"class", "word"}}, "worst error as a share of its limit").close().close();
}

void add_matrix(HtmlBuilder& html, const Report& report) {
  const SupportMatrix matrix = support_matrix(report);
  html.element("h2", {{"id", "matrix"}}, "Support matrix");
  html.open("div", {{"class", "scroll"},
                    {"tabindex", "0"},
                    {"role", "region"},
                    {"aria-label", "Support matrix"}});
  html.open("table", {{"class", "matrix"}});
  html.element("caption", "Passing of required cases, by mask family and dtype, on each backend");
  html.open("thead").open("tr").element("th", {{"scope", "col"}}, "mask");
  html.element("th", {{"scope", "col"}, {"class", "dtype"}}, "dtype");
  for (const std::string& column : matrix.columns) {
    html.open("th", {{"scope", "col"}});
    add_breakable(html, column);
    html.close();
  }
  html.close().close().line().open("tbody");
  add_matrix_rows(html, matrix);
  html.close().close().close().line();
  add_legend(html);
  if (matrix.notes.empty()) return;
  html.open("ol", {{"class", "notes"}, {"aria-label", "Refusals"}});
  for (std::size_t n = 0; n < matrix.notes.size(); ++n) {
    html.element("li", {{"id", fmt::format("note-{}", n + 1)}}, matrix.notes[n]).line();
  }
  html.close();
}

// ---- Failures and expectations ---------------------------------------------------------------

void add_failure(HtmlBuilder& html, const Record& record) {
  html.open("tr").open("td", {{"class", "outcome"}});
  add_glyph(html, outcome_style(record).kind, outcome_text(record), true);
  html.close().element("td", column_of(record)).open("td", {{"class", "mono"}});
  html.element("a", {{"href", case_address(record.planned.id)}}, to_string(record.planned.c));
  html.close().element("td", shortened(record.reason, 400)).close().line();
}

void add_failures(HtmlBuilder& html, const Report& report) {
  const auto all = failures(report);
  html.element("h2", {{"id", "attention"}}, "Needs attention");
  if (all.empty()) {
    html.element("p", {{"class", "quiet"}}, "Nothing: every case ended as it should.");
    return;
  }
  const std::size_t shown = std::min(all.size(), shown_failures);
  open_table(html, fmt::format("{} of {} cases that did not end as they should", shown, all.size()),
             {{"outcome"}, {"backend"}, {"case"}, {"reason"}});
  for (std::size_t i = 0; i < shown; ++i) add_failure(html, *all[i]);
  close_table(html);
}

void add_note_cells(HtmlBuilder& html, const ExpectationNote& note) {
  html.element("td", {{"class", "mono"}}, note.match).element("td", note.verdict);
  html.open("td").text(note.reason);
  if (!note.evidence.empty()) html.open("p", {{"class", "small"}}).text(note.evidence).close();
  if (!note.link.empty()) {
    html.open("p", {{"class", "small"}});
    add_link(html, note.link);
    html.close();
  }
  html.close().element("td", note.expires);
}

void add_expectations(HtmlBuilder& html, const Report& report) {
  const auto matched = matched_expectations(report);
  if (!matched.empty()) {
    html.element("h2", {{"id", "expected"}}, "Failures that were foretold");
    open_table(html, "Expectations that matched",
               {{"cases", true}, {"which"}, {"verdict"}, {"why, and evidence"}, {"expires"}});
    for (const auto& [note, count] : matched) {
      html.open("tr").element("td", {{"class", "number"}}, format_count(count));
      add_note_cells(html, note);
      html.close().line();
    }
    close_table(html);
  }
  if (report.stale.empty()) return;
  html.element("h2", {{"id", "stale"}}, "Stale expectations");
  open_table(html, "Expectations that expired or match nothing that ran",
             {{"problem"}, {"which"}, {"verdict"}, {"why, and evidence"}, {"expires"}, {"file"}});
  for (const StaleExpectation& stale : report.stale) {
    html.open("tr").open("td", {{"class", "outcome"}});
    add_glyph(html, "unexpected_pass", stale.problem, true);
    html.close();
    add_note_cells(html, stale.note);
    html.element("td", {{"class", "mono"}}, stale.file).close().line();
  }
  close_table(html);
}

/// What the backends of this run gave for one figure, as a list in a cell.
void add_ours(HtmlBuilder& html, const std::vector<FigureBeside>& rows,
              const PublishedFigure& figure) {
  html.open("td");
  for (const FigureBeside& row : rows) {
    if (row.figure != &figure) continue;
    const bool answered = !row.backend.empty();
    html.element("p", answered ? format_number(row.ours) + "  " + row.backend : "not in this run");
  }
  html.close();
}

void add_published(HtmlBuilder& html, const Report& report) {
  if (report.published.empty()) return;
  const auto rows = figures_beside(report);
  html.element("h2", {{"id", "published"}}, "Beside published figures");
  open_table(html, "Ours is the largest value of this run, against the fp64 oracle",
             {{"figure"}, {"published", true}, {"ours"}, {"what they compare"}});
  for (const PublishedFigure& figure : report.published) {
    html.open("tr").element("th", {{"scope", "row"}}, figure_name(figure));
    html.element("td", {{"class", "number"}}, figure_range(figure));
    add_ours(html, rows, figure);
    html.open("td").element("p", figure.compares).open("p", {{"class", "small"}});
    add_link(html, figure.source);
    html.close().close().close().line();
  }
  close_table(html);
}

}  // namespace

std::string overview_section(const Report& report) {
  HtmlBuilder html;
  add_cards(html, report);
  add_matrix(html, report);
  add_failures(html, report);
  add_expectations(html, report);
  add_published(html, report);
  return html.finish();
}

}  // namespace fathom
