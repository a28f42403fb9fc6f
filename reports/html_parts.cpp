// SPDX-License-Identifier: Apache-2.0
#include "reports/html_parts.h"

#include "reports/outcome_style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace fathom {
namespace {

std::string_view family_of(std::string_view kind) {
  return kind == "partial" ? "bad" : outcome_style(kind).family;
}

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kept = "-_.~:/";
  std::string out;
  for (const char c : text) {
    if (is_plain(c) || kept.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

void add_glyph(HtmlBuilder& html, std::string_view kind, std::string_view word, bool with_word) {
  html.open("svg", {{"class", fmt::format("glyph {}", family_of(kind))}, {"aria-hidden", "true"}});
  html.leaf("use", {{"href", fmt::format("#g-{}", kind)}}).close();
  html.element("span", {{"class", with_word ? "word" : "hidden"}}, word);
}

void add_bar(HtmlBuilder& html, double value, std::string_view label) {
  const bool over = !(value <= 1);  // NaN is over, too.
  const double share = over ? 1 : std::max(value, 0.0);
  html.open("svg", {{"class", over ? "bar over" : "bar"},
                    {"viewBox", "0 0 100 6"},
                    {"preserveAspectRatio", "none"},
                    {"role", "img"},
                    {"aria-label", std::string(label)}});
  html.leaf("rect", {{"class", "rail"}, {"width", "100"}, {"height", "6"}});
  html.leaf("rect", {{"width", fmt::format("{:.1f}", 100 * share)}, {"height", "6"}});
  html.close();
}

void open_table(HtmlBuilder& html, std::string_view caption, const std::vector<TableHead>& heads) {
  html.open("div", {{"class", "scroll"},
                    {"tabindex", "0"},
                    {"role", "region"},
                    {"aria-label", std::string(caption)}});
  html.open("table").element("caption", caption).open("thead").open("tr");
  for (const TableHead& head : heads) {
    html.element("th", {{"scope", "col"}, {"class", head.number ? "number" : ""}}, head.text);
  }
  html.close().close().line().open("tbody");
}

void close_table(HtmlBuilder& html) {
  html.close().close().close().line();
}

void add_link(HtmlBuilder& html, std::string_view address) {
  const bool web = address.starts_with("https://") || address.starts_with("http://");
  if (!web) {
    html.text(address);
    return;
  }
  html.element("a", {{"href", std::string(address)}, {"rel", "noreferrer noopener"}}, address);
}

std::string query_address(std::string_view query) {
  return "#/cases?q=" + percent_encoded(query);
}

std::string case_address(std::string_view id) {
  return "#/case/" + percent_encoded(id);
}

std::string query_value(std::string_view value) {
  constexpr std::string_view kept = "-_./:+&*";
  const bool bare = std::all_of(value.begin(), value.end(), [&](char c) {
    return is_plain(c) || kept.find(c) != std::string_view::npos;
  });
  return bare ? std::string(value) : '"' + std::string(value) + '"';
}

}  // namespace fathom
