// SPDX-License-Identifier: Apache-2.0
#include "harness/run/captured_output.h"

#include <algorithm>

namespace fathom {
namespace {

constexpr std::size_t keep_bytes = std::size_t{64} * 1024;

/// Bytes of the UTF-8 character at the front of `text`, 0 if it is none.
std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                             : lead >= 0xE0                ? 3
                             : lead >= 0xC2                ? 2
                                                           : 0;
  if (length == 0 || lead >= 0xF5 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies beyond Unicode are no characters either.
  const auto second = length > 1 ? static_cast<unsigned char>(text[1]) : 0;
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0)) return 0;
  if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90)) return 0;
  return length;
}

/// C1 controls and the marks that reverse the direction of text, both of which fool terminals.
bool is_deceptive(std::string_view character) {
  if (character.size() == 2 && character[0] == '\xC2') {
    return static_cast<unsigned char>(character[1]) < 0xA0;
  }
  if (character.size() != 3 || character[0] != '\xE2') return false;
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = static_cast<unsigned char>(character[2]);
  return (second == 0x80 && ((third >= 0xA8 && third <= 0xAE) || third == 0x8E || third == 0x8F)) ||
         (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

std::string clean(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    text.remove_prefix(character.size());
    const auto byte = static_cast<unsigned char>(character.front());
    const bool control =
        length == 1 && ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F);
    if (length == 0 || control || is_deceptive(character)) {
      safe += '?';
    } else {
      safe += character;
    }
  }
  return safe;
}

}  // namespace

void CapturedOutput::append(std::string_view bytes) {
  const std::size_t room = keep_bytes - head_.size();
  head_ += bytes.substr(0, room);
  bytes.remove_prefix(std::min(room, bytes.size()));
  tail_ += bytes;
  if (tail_.size() <= 2 * keep_bytes) return;  // Cut rarely, not at every append.
  left_out_ += tail_.size() - keep_bytes;
  tail_.erase(0, tail_.size() - keep_bytes);
}

std::string CapturedOutput::take() {
  if (tail_.size() > keep_bytes) {
    left_out_ += tail_.size() - keep_bytes;
    tail_.erase(0, tail_.size() - keep_bytes);
  }
  std::string text = clean(head_);
  if (left_out_ > 0) text += "\n[... " + std::to_string(left_out_) + " bytes left out ...]\n";
  text += clean(tail_);
  head_.clear();
  tail_.clear();
  left_out_ = 0;
  return text;
}

}  // namespace fathom
