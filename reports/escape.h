// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// Names, reasons and logs come from workers and are untrusted. Every function here accepts any
// bytes (invalid UTF-8 becomes U+FFFD) and returns text that is inert in the format it is named
// after.

namespace fathom {

/// Valid UTF-8 in which control characters and bidirectional controls are spelled `\x1b`,
/// `\u202e`, so that they neither act on a terminal nor reorder a line nor break XML, which forbids
/// most of them. Newlines become spaces.
std::string visible_text(std::string_view text);
/// The same, but newlines and tabs are kept: for logs.
std::string visible_lines(std::string_view text);

/// visible_text with the five HTML characters as entities: for text and quoted attributes.
std::string html_text(std::string_view text);

/// A dumped JSON text with `<`, `>`, `&`, U+2028 and U+2029 as \u escapes, so that nothing in it
/// can end or reopen a script element. Stays the same JSON value.
std::string json_for_html(std::string_view json);

/// visible_text that Markdown reads as plain text, in table cells too.
std::string markdown_text(std::string_view text);
/// visible_text as a code span, with a fence longer than any run of backticks inside.
std::string markdown_code(std::string_view text);

/// Characters of valid UTF-8 text: its width on a terminal, as far as our own text goes.
std::size_t display_width(std::string_view text);

/// At most `limit` characters, the last of them `…` if something is left out.
std::string shortened(std::string_view text, std::size_t limit);

}  // namespace fathom
