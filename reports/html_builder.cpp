// SPDX-License-Identifier: Apache-2.0
#include "reports/html_builder.h"

#include "reports/escape.h"

#include <cassert>
#include <utility>

namespace fathom {

void HtmlBuilder::start(std::string_view tag, Attributes attributes) {
  out_ += '<';
  out_ += tag;
  for (const Attribute& attribute : attributes) {
    out_ += ' ';
    out_ += attribute.name;
    out_ += "=\"";
    out_ += html_text(attribute.value);
    out_ += '"';
  }
}

HtmlBuilder& HtmlBuilder::open(std::string_view tag, Attributes attributes) {
  start(tag, attributes);
  out_ += '>';
  open_.emplace_back(tag);
  return *this;
}

HtmlBuilder& HtmlBuilder::close() {
  assert(!open_.empty());
  out_ += "</" + open_.back() + ">";
  open_.pop_back();
  return *this;
}

HtmlBuilder& HtmlBuilder::text(std::string_view text) {
  out_ += html_text(text);
  return *this;
}

HtmlBuilder& HtmlBuilder::element(std::string_view tag, Attributes attributes,
                                  std::string_view text) {
  return open(tag, attributes).text(text).close();
}

HtmlBuilder& HtmlBuilder::element(std::string_view tag, std::string_view text) {
  return element(tag, {}, text);
}

HtmlBuilder& HtmlBuilder::leaf(std::string_view tag, Attributes attributes) {
  start(tag, attributes);
  out_ += "/>";
  return *this;
}

HtmlBuilder& HtmlBuilder::line() {
  out_ += '\n';
  return *this;
}

std::string HtmlBuilder::finish() {
  while (!open_.empty()) close();
  return std::exchange(out_, {});
}

}  // namespace fathom
