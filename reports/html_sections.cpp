// SPDX-License-Identifier: Apache-2.0
#include "reports/html_sections.h"

#include "harness/core/text.h"
#include "reports/format.h"
#include "reports/html_builder.h"
#include "reports/html_parts.h"
#include "reports/summary.h"

#include <fmt/format.h>

namespace fathom {
namespace {

std::string_view kind_of_exit(int code) {
  switch (code) {
    case 0: return "pass";
    case 2: return "unexpected_pass";
    case 3: return "error";
    case 4: return "not_run";
    default: return "accuracy";
  }
}

/// What the run was, in one line; facts that are empty are left out.
std::vector<std::string> run_facts(const Report& report) {
  std::vector<std::string> facts;
  const auto add = [&](std::string_view label, const std::string& value) {
    if (!value.empty()) facts.push_back(std::string(label) + value);
  };
  add("started ", report.started_utc);
  add("took ", format_time(report.duration_s * 1e9));
  add("", fmt::format("{} of {} planned cases recorded", format_count(std::ssize(report.records)),
                      format_count(std::ssize(report.planned))));
  add("filter ", report.filter);
  add("manifest ", report.manifest_hash);
  if (report.resumes > 0) add("resumed ", fmt::format("{} times", report.resumes));
  add("fathom ", report.fathom_version);
  return facts;
}

void add_performance_row(HtmlBuilder& html, const Performance& row) {
  const auto number = [&](const std::string& text) {
    html.element("td", {{"class", "number"}}, text);
  };
  html.open("tr").element("th", {{"scope", "row"}}, row.backend).element("td", row.pass);
  number(format_count(row.timed));
  number(row.flops_per_s ? format_flops(*row.flops_per_s) : "–");
  number(row.bytes_per_s ? format_traffic(*row.bytes_per_s) : "–");
  number(row.relative_time
             ? fmt::format("{:.2f}× on {} shared", *row.relative_time, format_count(row.shared))
             : "–");
  number(row.peak_bytes ? format_bytes(static_cast<double>(*row.peak_bytes)) : "–");
  html.close().line();
}

void add_backends(HtmlBuilder& html, const Report& report) {
  open_table(html, "Backends",
             {{"backend"}, {"state"}, {"version"}, {"device"}, {"lowerings"}, {"features"}});
  for (const BackendStatus& backend : report.backends) {
    const bool here = backend.absent.empty();
    html.open("tr").element("th", {{"scope", "row"}}, backend.name);
    html.open("td");
    add_glyph(html, here ? "pass" : "unsupported", here ? "here" : "absent: " + backend.absent,
              true);
    html.close().element("td", backend.version).element("td", backend.device);
    html.element("td", join(backend.lowerings, ", "));
    html.element("td", {{"class", "small"}}, join(backend.features, ", "));
    html.close().line();
  }
  close_table(html);
}

void add_arithmetic(HtmlBuilder& html, const Report& report) {
  open_table(html, "Declared arithmetic: what the error budget rests on",
             {{"backend"}, {"dtype"}, {"differs from the default in"}, {"source"}});
  for (const BackendStatus& backend : report.backends) {
    for (const auto& [dtype, arithmetic] : backend.arithmetic) {
      html.open("tr").element("th", {{"scope", "row"}}, backend.name).element("td", dtype);
      Arithmetic numbers = arithmetic;
      numbers.link.clear();
      html.element("td", {{"class", "mono"}}, to_string(numbers)).open("td");
      add_link(html, arithmetic.link);
      html.close().close().line();
    }
  }
  close_table(html);
}

void add_environment(HtmlBuilder& html, const Report& report) {
  open_table(html, "Machine and software", {{"fact"}, {"value"}});
  for (const auto& [key, value] : report.environment) {
    html.open("tr").element("th", {{"scope", "row"}}, key).element("td", value).close().line();
  }
  close_table(html);
}

}  // namespace

std::string header_section(const Report& report) {
  HtmlBuilder html;
  const std::string_view kind = kind_of_exit(exit_code(report));
  html.open("h1").text("fathom ").element("span", report.suite).close().line();
  html.open("p", {{"class", fmt::format("headline {}", kind == "pass" ? "fine" : "trouble")},
                  {"id", "headline"}});
  add_glyph(html, kind, headline(report), true);
  html.close().line().element("p", {{"class", "power"}}, power_sentence(report));
  html.line().open("ul", {{"class", "facts"}});
  for (const std::string& fact : run_facts(report)) html.element("li", fact);
  html.close().line();
  if (report.planned.size() != report.records.size()) {
    html.element("p", {{"class", "banner"}},
                 "Incomplete: the run ended before every planned case had a record.");
  }
  return html.finish();
}

std::string performance_section(const Report& report) {
  HtmlBuilder html;
  const auto rows = performance(report);
  if (rows.empty()) {
    html.element("p", {{"class", "quiet"}}, "Nothing was timed in this run.");
    return html.finish();
  }
  html.element("p", {{"class", "quiet"}},
               "Useful work only: FLOPs and bytes of the exact visible pairs, over the median of "
               "warm samples. Means are geometric, over the cases that the backend was timed on; "
               "the time over the fastest compares case by case, on cases that another backend was "
               "timed on too.");
  open_table(html, "Latency and memory by backend",
             {{"backend"},
              {"pass"},
              {"timed cases", true},
              {"mean rate", true},
              {"mean traffic", true},
              {"time over fastest", true},
              {"largest peak memory", true}});
  for (const Performance& row : rows) add_performance_row(html, row);
  close_table(html);
  return html.finish();
}

std::string environment_section(const Report& report) {
  HtmlBuilder html;
  add_backends(html, report);
  add_arithmetic(html, report);
  add_environment(html, report);
  return html.finish();
}

}  // namespace fathom
