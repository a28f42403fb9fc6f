// SPDX-License-Identifier: Apache-2.0
#include "reports/html_report.h"

#include "reports/escape.h"
#include "reports/html_sections.h"
#include "reports/page_data.h"

#include <fmt/format.h>

#include <functional>
#include <map>

namespace fathom {
namespace {

/// `{{name}}` places of a template filled in one pass, so that nothing in a value is a place.
std::string filled(std::string_view page, const std::map<std::string_view, std::string>& values) {
  std::string out;
  while (true) {
    const std::size_t open = page.find("{{");
    out += page.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = page.find("}}", open);
    out += values.at(page.substr(open + 2, close - open - 2));
    page.remove_prefix(close + 2);
  }
}

/// Nothing but what was embedded at build time may run, and nothing may be loaded at all.
std::string content_security_policy(const PageAssets& assets) {
  std::string scripts = "'" + std::string(assets.script_hash) + "'";
  if (!assets.chart.empty()) scripts += " '" + std::string(assets.chart_hash) + "'";
  return fmt::format(
      "default-src 'none'; script-src {}; style-src '{}'; img-src data:; base-uri 'none'; "
      "form-action 'none'",
      scripts, assets.style_hash);
}

std::string script_element(std::string_view text) {
  return text.empty() ? "" : "<script>" + std::string(text) + "</script>";
}

}  // namespace

std::string html_report(const Report& report, const PageAssets& assets) {
  const PageData data = page_data(report);
  return filled(assets.page, {{"policy", content_security_policy(assets)},
                              {"title", html_text("fathom: " + report.suite)},
                              {"style", std::string(assets.style)},
                              {"glyphs", std::string(assets.glyphs)},
                              {"header", header_section(report)},
                              {"overview", overview_section(report)},
                              {"performance", performance_section(report)},
                              {"environment", environment_section(report)},
                              {"data", json_for_html(data.table)},
                              {"details", json_for_html(data.details)},
                              {"chart", script_element(assets.chart)},
                              {"script", script_element(assets.script)}});
}

std::string html_report(const Report& report) {
  return html_report(report, page_assets());
}

}  // namespace fathom
