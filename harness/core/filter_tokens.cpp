// SPDX-License-Identifier: Apache-2.0
#include "harness/core/filter_tokens.h"

#include "harness/core/error.h"

#include <cctype>

namespace fathom {
namespace {

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view query) : query_(query) {}

  std::vector<FilterToken> run() {
    for (std::size_t i = 0; i < query_.size(); ++i) {
      switch (query_[i]) {
        case '"': i = read_quoted(i); break;
        case '(': open(); break;
        case ')': close(); break;
        default: read(query_[i]);
      }
    }
    if (depth_ > 0) bad_filter(query_, "a closing parenthesis is missing in '" + word_.text + "'");
    flush();
    return std::move(tokens_);
  }

 private:
  void read(char c) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!blank) {
      word_.text += c;
    } else if (depth_ == 0) {
      flush();
    }
  }

  std::size_t read_quoted(std::size_t at) {
    const std::size_t end = query_.find('"', at + 1);
    if (end == std::string_view::npos) bad_filter(query_, "a closing quote is missing");
    if (word_.text.empty()) word_.quoted = true;
    word_.text += query_.substr(at + 1, end - at - 1);
    return end;
  }

  void open() {
    const bool keyword = word_.text == "not" || word_.text == "and" || word_.text == "or";
    if (keyword && !word_.quoted) flush();
    if (word_.text.empty()) {
      flush();
      tokens_.push_back({"(", false});
      return;
    }
    word_.text += '(';
    ++depth_;
  }

  void close() {
    if (depth_ > 0) {
      word_.text += ')';
      --depth_;
      return;
    }
    flush();
    tokens_.push_back({")", false});
  }

  void flush() {
    if (!word_.text.empty() || word_.quoted) tokens_.push_back(word_);
    word_ = {};
  }

  std::string_view query_;
  std::vector<FilterToken> tokens_;
  FilterToken word_;
  int depth_ = 0;  ///< Parentheses open inside the word.
};

}  // namespace

std::vector<FilterToken> filter_tokens(std::string_view query) {
  return Tokenizer(query).run();
}

void bad_filter(std::string_view query, const std::string& what) {
  throw UsageError("filter '" + std::string(query) + "': " + what);
}

}  // namespace fathom
