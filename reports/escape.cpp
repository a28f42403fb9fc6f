// SPDX-License-Identifier: Apache-2.0
#include "reports/escape.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace fathom {
namespace {

constexpr char32_t replacement = 0xFFFD;

struct CodePoint {
  char32_t value;
  std::size_t bytes;
};

constexpr bool is_continuation(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

/// Decodes the first character; anything that is not shortest-form UTF-8 is one replaced byte.
CodePoint first_code_point(std::string_view text) {
  struct Form {
    unsigned char mask, lead;
    char32_t least;
  };
  static constexpr std::array<Form, 4> forms{
      {{0x80, 0x00, 0x0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}}};
  const auto lead = static_cast<unsigned char>(text.front());
  for (std::size_t extra = 0; extra < forms.size(); ++extra) {
    if ((lead & forms[extra].mask) != forms[extra].lead) continue;
    if (text.size() <= extra) break;
    char32_t value = lead & static_cast<unsigned char>(~forms[extra].mask);
    for (std::size_t i = 1; i <= extra; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (!is_continuation(byte)) return {replacement, 1};
      value = (value << 6) | (byte & 0x3F);
    }
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (value < forms[extra].least || value > 0x10FFFF || surrogate) break;
    return {value, extra + 1};
  }
  return {replacement, 1};
}

/// Calls emit(code point, its bytes) for every character.
template <typename Emit>
void for_each_character(std::string_view text, Emit emit) {
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    const bool replaced = point.value == replacement && point.bytes == 1;
    emit(point.value, replaced ? std::string_view("\xEF\xBF\xBD") : text.substr(0, point.bytes));
    text.remove_prefix(point.bytes);
  }
}

struct Range {
  char32_t first, last;
};

template <std::size_t n>
bool within(char32_t c, const std::array<Range, n>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](Range r) { return c >= r.first && c <= r.last; });
}

/// C0, DEL and C1 act on terminals; the rest are bidirectional controls, line separators and
/// invisible joiners, with which a name can look like another, and what XML has no place for.
constexpr std::array<Range, 8> acting{{{0x00, 0x1F},
                                       {0x7F, 0x9F},
                                       {0x061C, 0x061C},
                                       {0x200B, 0x200F},
                                       {0x2028, 0x202E},
                                       {0x2060, 0x2069},
                                       {0xFEFF, 0xFEFF},
                                       {0xFFFE, 0xFFFF}}};

std::string spelled(char32_t c) {
  return c < 0x100 ? fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c))
                   : fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
}

std::string visible(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  for_each_character(text, [&](char32_t c, std::string_view bytes) {
    const bool line = c == '\n' || c == '\t';
    if (line) {
      out += keep_lines ? bytes : " ";
    } else if (within(c, acting)) {
      out += spelled(c);
    } else {
      out += bytes;
    }
  });
  return out;
}

struct Entity {
  char character;
  std::string_view text;
};

template <std::size_t n>
std::string replaced(std::string_view text, const std::array<Entity, n>& entities) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto entity = std::find_if(entities.begin(), entities.end(),
                                     [c](const Entity& e) { return e.character == c; });
    if (entity == entities.end()) {
      out += c;
    } else {
      out += entity->text;
    }
  }
  return out;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string visible_text(std::string_view text) {
  return visible(text, false);
}
std::string visible_lines(std::string_view text) {
  return visible(text, true);
}

std::string html_text(std::string_view text) {
  static constexpr std::array<Entity, 5> entities{
      {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}}};
  return replaced(visible_lines(text), entities);
}

std::string json_for_html(std::string_view json) {
  static constexpr std::array<Entity, 3> entities{
      {{'<', "\\u003c"}, {'>', "\\u003e"}, {'&', "\\u0026"}}};
  std::string out = replaced(json, entities);
  replace_all(out, "\xE2\x80\xA8", "\\u2028");
  replace_all(out, "\xE2\x80\xA9", "\\u2029");
  return out;
}

std::string markdown_text(std::string_view text) {
  static constexpr std::array<Entity, 13> entities{{{'&', "&amp;"},
                                                    {'<', "&lt;"},
                                                    {'>', "&gt;"},
                                                    {'\\', "\\\\"},
                                                    {'`', "\\`"},
                                                    {'*', "\\*"},
                                                    {'_', "\\_"},
                                                    {'[', "\\["},
                                                    {']', "\\]"},
                                                    {'|', "\\|"},
                                                    {'~', "\\~"},
                                                    {'$', "\\$"},
                                                    {'!', "\\!"}}};
  return replaced(visible_text(text), entities);
}

std::string markdown_code(std::string_view text) {
  std::string inner = visible_text(text);
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : inner) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  replace_all(inner, "|", "\\|");  // Inside a table the row is split before code spans are read.
  const std::string fence(longest + 1, '`');
  const bool padded = inner.empty() || inner.front() == '`' || inner.back() == '`';
  return padded ? fence + ' ' + inner + ' ' + fence : fence + inner + fence;
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return !is_continuation(static_cast<unsigned char>(c));
  }));
}

std::string shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit || display_width(text) <= limit) return std::string(text);
  std::size_t at = 0;
  for (std::size_t kept = 0; at < text.size(); ++at) {
    if (is_continuation(static_cast<unsigned char>(text[at]))) continue;
    if (++kept == limit) break;
  }
  return std::string(text.substr(0, at)) + "…";
}

}  // namespace fathom
