// SPDX-License-Identifier: Apache-2.0
#include "reports/escape.h"

#include "reports/html_builder.h"
#include "reports/html_parts.h"
#include "reports/tests/fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace fathom {
namespace {

TEST(EscapeTest, SpellsWhatWouldActOnATerminal) {
  EXPECT_EQ(visible_text("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(visible_text("a\xE2\x80\xAE"
                         "b"),
            "a\\u202eb");
  EXPECT_EQ(visible_text("a\xC2\x9B"
                         "1m"),
            "a\\x9b1m");
  EXPECT_EQ(visible_text("plain – ✓ 語 😀"), "plain – ✓ 語 😀");
}

TEST(EscapeTest, KeepsLinesOnlyInLogs) {
  EXPECT_EQ(visible_text("a\nb\tc\rd"), "a b c\\x0dd");
  EXPECT_EQ(visible_lines("a\nb\tc\rd"), "a\nb\tc\\x0dd");
}

TEST(EscapeTest, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(visible_text("\xff"), "\xEF\xBF\xBD");
  EXPECT_EQ(visible_text("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");           // Overlong '/'.
  EXPECT_EQ(visible_text("\xF4\x90\x80\x80").substr(0, 3), "\xEF\xBF\xBD");  // Beyond U+10FFFF.
  EXPECT_EQ(visible_text("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");           // Cut short.
}

TEST(EscapeTest, HtmlTextHasNoCharacterOfHtmlLeft) {
  for (const std::string& text : hostile_texts()) {
    EXPECT_EQ(html_text(text).find_first_of("<>\"'"), std::string::npos) << text;
  }
  EXPECT_EQ(html_text("a & b < c"), "a &amp; b &lt; c");
}

TEST(EscapeTest, JsonForHtmlIsTheSameJsonWithoutMarkup) {
  const auto replace = nlohmann::json::error_handler_t::replace;
  for (const std::string& text : hostile_texts()) {
    const std::string plain = nlohmann::json{text}.dump(-1, ' ', false, replace);
    const std::string inert = json_for_html(plain);
    EXPECT_EQ(inert.find_first_of("<>&"), std::string::npos) << text;
    EXPECT_EQ(inert.find("\xE2\x80\xA8"), std::string::npos);
    EXPECT_EQ(nlohmann::json::parse(inert), nlohmann::json::parse(plain)) << text;
  }
}

TEST(EscapeTest, CodeSpansAreFencedLongerThanTheirBackticks) {
  EXPECT_EQ(markdown_code("a|b"), "`a\\|b`");
  EXPECT_EQ(markdown_code("a`b``c"), "```a`b``c```");
  EXPECT_EQ(markdown_code("`a"), "`` `a ``");
  EXPECT_EQ(markdown_text("*a*|<b>"), "\\*a\\*\\|&lt;b&gt;");
}

TEST(EscapeTest, ShortensBetweenCharacters) {
  EXPECT_EQ(shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(shortened("abcdefg", 6), "abcde…");
  EXPECT_EQ(shortened("ab✓✓✓", 5), "ab✓✓✓");
  EXPECT_EQ(shortened("ab✓✓✓", 4), "ab✓…");
}

TEST(EscapeTest, TheBuilderEscapesTextAndAttributes) {
  HtmlBuilder html;
  html.open("p", {{"title", "\"><script>"}}).text("<b>").leaf("br", {});
  EXPECT_EQ(html.finish(), "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;b&gt;<br/></p>");
}

TEST(EscapeTest, OnlyWebAddressesBecomeLinks) {
  const auto link = [](std::string_view address) {
    HtmlBuilder html;
    add_link(html, address);
    return html.finish();
  };
  EXPECT_EQ(link("javascript:alert(1)"), "javascript:alert(1)");
  EXPECT_EQ(link("data:text/html,x"), "data:text/html,x");
  EXPECT_EQ(link("https://a.b/\"c").find("<a href=\"https://a.b/&quot;c\""), 0U);
}

TEST(EscapeTest, QueriesSurviveAnAddress) {
  EXPECT_EQ(query_address("mask:a&b c"), "#/cases?q=mask:a%26b%20c");
  EXPECT_EQ(query_value("sdpa:math/loop+x"), "sdpa:math/loop+x");
  EXPECT_EQ(query_value("two words"), "\"two words\"");
}

}  // namespace
}  // namespace fathom
