// SPDX-License-Identifier: Apache-2.0
#include "harness/codec/parse.h"

#include "harness/codec/fields.h"
#include "harness/core/error.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace fathom {
namespace {

/// The text being parsed, and how far the parser has read.
struct Source {
  std::string_view text;
  std::string_view name;
  std::size_t read = 0;  ///< Bytes that the lexer has taken.

  [[noreturn]] void fail(const std::string& sentence) const {
    const std::string_view seen = text.substr(0, std::min(read, text.size()));
    const auto line = 1 + std::ranges::count(seen, '\n');
    const std::size_t line_start = seen.rfind('\n') + 1;  // npos + 1 is 0: the first line.
    const std::size_t column = std::max<std::size_t>(1, seen.size() - line_start);
    throw DataError(std::string(name) + ":" + std::to_string(line) + ":" + std::to_string(column) +
                    ": " + sentence);
  }
};

/// Walks over the text and tells its Source how far, because the callbacks are not given a place.
class Cursor {
 public:
  // NOLINTBEGIN(readability-identifier-naming): std::iterator_traits asks for these names.
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  // NOLINTEND(readability-identifier-naming)

  Cursor(const char* at, Source* source) : at_(at), source_(source) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    ++at_;
    ++source_->read;
    return *this;
  }
  Cursor operator++(int) {
    const Cursor before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  Source* source_;
};

/// The library's message without its own prefix (the place is ours) and without the raw bytes that
/// it quotes.
std::string sentence_of(const Json::exception& error) {
  constexpr int number_overflow = 406;  // Its message repeats the digits, however many they are.
  if (error.id == number_overflow) return "a number that overflows";
  std::string text = error.what();
  if (const auto colon = text.find(": "); colon != std::string::npos) text.erase(0, colon + 2);
  const auto quote = text.find("; last read: ");
  if (quote == std::string::npos) return text;
  const auto expected = text.rfind("; expected ");
  const bool has_expected = expected != std::string::npos && expected > quote;
  return text.substr(0, quote) + (has_expected ? text.substr(expected) : "");
}

/// Builds the value from the parser's events; refuses what the library would let pass.
class StrictBuilder {
 public:
  explicit StrictBuilder(Source& source) : source_(source) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(Json::number_integer_t value) {
    if (value == 0) source_.fail("the integer -0 loses its sign; write 0 or -0.0");
    return put(value);
  }
  bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
  bool number_float(Json::number_float_t value, const std::string& /*spelling*/) {
    return put(value);
  }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(Json::binary_t& /*value*/) { return false; }
  bool start_object(std::size_t /*size*/) { return open(Json::object()); }
  bool start_array(std::size_t /*size*/) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    auto [slot, is_new] = open_.back()->get_ref<Json::object_t&>().emplace(name, nullptr);
    if (!is_new) source_.fail("duplicate key " + in_quotes(name));
    slot_ = &slot->second;
    return true;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const Json::exception& error) {
    source_.fail(sentence_of(error));
  }

  Json take() { return std::move(root_); }

 private:
  Json* place(Json value) {
    if (++nodes_ > max_json_nodes) {
      source_.fail("more than " + std::to_string(max_json_nodes) + " values");
    }
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_array()) return &open_.back()->emplace_back(std::move(value));
    return &(*slot_ = std::move(value));
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json container) {
    if (open_.size() >= max_json_depth) {
      source_.fail("nested deeper than " + std::to_string(max_json_depth) + " levels");
    }
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Source& source_;
  Json root_;
  std::vector<Json*> open_;
  Json* slot_ = nullptr;
  std::size_t nodes_ = 0;
};

void refuse_what_the_lexer_skips(Source& source) {
  if (source.text.size() > max_json_bytes) {
    source.fail(std::to_string(source.text.size()) + " bytes; the limit is " +
                std::to_string(max_json_bytes));
  }
  if (source.text.starts_with("\xEF\xBB\xBF")) source.fail("starts with a byte order mark");
  if (const auto nul = source.text.find('\0'); nul != std::string_view::npos) {
    source.read = nul + 1;
    source.fail("a NUL byte");
  }
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what) {
  Source source{.text = text, .name = what};
  refuse_what_the_lexer_skips(source);
  StrictBuilder builder(source);
  const char* begin = text.data();
  Json::sax_parse(Cursor(begin, &source), Cursor(begin + text.size(), &source), &builder);
  return builder.take();
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 64;
  const Json shown = std::string(text.substr(0, longest));
  std::string escaped = shown.dump(-1, ' ', true, Json::error_handler_t::replace);
  escaped.front() = escaped.back() = '\'';
  return text.size() > longest ? escaped + "..." : escaped;
}

}  // namespace fathom
