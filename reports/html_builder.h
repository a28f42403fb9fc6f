// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// One attribute of an element; the value is escaped when it is written.
struct Attribute {
  std::string_view name;
  std::string value;
};
using Attributes = std::initializer_list<Attribute>;

/// Builds HTML from elements and text, and escapes both by construction: there is no way to put a
/// string in that is not either text or an attribute's value.
class HtmlBuilder {
 public:
  HtmlBuilder& open(std::string_view tag, Attributes attributes = {});
  HtmlBuilder& close();  ///< Closes the element opened last.
  HtmlBuilder& text(std::string_view text);
  /// An element with nothing but text in it.
  HtmlBuilder& element(std::string_view tag, Attributes attributes, std::string_view text);
  HtmlBuilder& element(std::string_view tag, std::string_view text);
  /// An element that stays empty: `<rect .../>` inside an svg.
  HtmlBuilder& leaf(std::string_view tag, Attributes attributes);
  HtmlBuilder& line();  ///< A line break in the source, for people who read it.

  /// Closes what is still open and gives the text away.
  [[nodiscard]] std::string finish();

 private:
  void start(std::string_view tag, Attributes attributes);

  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace fathom
