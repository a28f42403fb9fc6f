// SPDX-License-Identifier: Apache-2.0
#include "harness/core/filter.h"

#include "harness/core/error.h"
#include "harness/core/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

namespace fathom {

/// A query is a tree of these; leaves test one row.
struct Filter::Node {
  enum class Kind : std::uint8_t { always, both, either, negate, leaf };
  Kind kind = Kind::always;
  std::shared_ptr<const Node> left;
  std::shared_ptr<const Node> right;
  std::function<bool(const FilterRow&)> test;
};

namespace {

using Node = Filter::Node;
using NodePtr = std::shared_ptr<const Node>;

bool holds(const Node& node, const FilterRow& row) {
  switch (node.kind) {
    case Node::Kind::always: return true;
    case Node::Kind::both: return holds(*node.left, row) && holds(*node.right, row);
    case Node::Kind::either: return holds(*node.left, row) || holds(*node.right, row);
    case Node::Kind::negate: return !holds(*node.left, row);
    case Node::Kind::leaf: return node.test(row);
  }
  return false;
}

NodePtr make_node(Node::Kind kind, NodePtr left, NodePtr right = nullptr) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->left = std::move(left);
  node->right = std::move(right);
  return node;
}

NodePtr make_leaf(std::function<bool(const FilterRow&)> test) {
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::leaf;
  node->test = std::move(test);
  return node;
}

struct Unit {
  std::string_view suffix;
  double factor;
};
constexpr std::array units{
    Unit{"KiB", 1024.0}, Unit{"MiB", 1048576.0}, Unit{"GiB", 1073741824.0},
    Unit{"ns", 1e-9},    Unit{"us", 1e-6},       Unit{"ms", 1e-3},
    Unit{"s", 1.0},      Unit{"B", 1.0},
};

std::optional<double> parse_quantity(std::string_view text) {
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.suffix)) continue;
    const auto value = parse_double(text.substr(0, text.size() - unit.suffix.size()));
    if (value) return *value * unit.factor;
  }
  return parse_double(text);
}

using Compare = bool (*)(double, double);
struct Operator {
  std::string_view text;
  Compare compare;
};
constexpr std::array operators{
    // Longer ones first.
    Operator{"!=", [](double a, double b) { return a != b; }},
    Operator{"<=", [](double a, double b) { return a <= b; }},
    Operator{">=", [](double a, double b) { return a >= b; }},
    Operator{"=", [](double a, double b) { return a == b; }},
    Operator{"<", [](double a, double b) { return a < b; }},
    Operator{">", [](double a, double b) { return a > b; }},
};

bool known_field(std::string_view name) {
  return std::any_of(filter_fields().begin(), filter_fields().end(),
                     [&](const FilterField& field) { return field.name == name; });
}

[[noreturn]] void bad_query(std::string_view query, const std::string& what) {
  throw UsageError("filter '" + std::string(query) + "': " + what);
}

/// `a,b*,c` or `!a,b`: whether any value matches any glob.
NodePtr text_leaf(std::string field, std::string_view value) {
  const bool negated = value.starts_with('!');
  if (negated) value.remove_prefix(1);
  std::vector<std::string> globs;
  for (const std::string_view glob : split(value, ',')) globs.emplace_back(glob);
  return make_leaf([field = std::move(field), globs, negated](const FilterRow& row) {
    const std::vector<std::string> values = row.texts(field);
    const bool any = std::any_of(values.begin(), values.end(), [&](const std::string& text) {
      return std::any_of(globs.begin(), globs.end(),
                         [&](const std::string& glob) { return glob_match(glob, text); });
    });
    return any != negated;
  });
}

/// `backend:verdict`: the row is that backend's and has that outcome.
NodePtr backend_leaf(std::string backend, std::string_view verdict) {
  return make_node(Node::Kind::both, text_leaf("backend", backend), text_leaf("verdict", verdict));
}

class Parser {
 public:
  explicit Parser(std::string_view query) : query_(query) {}

  NodePtr parse() {
    NodePtr node = parse_either();
    if (at_ < tokens_.size()) bad_query(query_, "'" + tokens_[at_] + "' is out of place");
    return node;
  }

  void tokenize() {
    std::string word;
    for (std::size_t i = 0; i < query_.size(); ++i) {
      const char c = query_[i];
      if (c == '"') {
        i = read_quoted(i, word);
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        flush(word);
      } else if (c == '(' && word.empty()) {
        tokens_.emplace_back("(");
      } else if (c == ')' && std::count(word.begin(), word.end(), '(') == 0) {
        flush(word);
        tokens_.emplace_back(")");
      } else {
        word += c;  // Parentheses inside a word belong to values like causal(top_left).
        if (c == ')') flush(word);
      }
    }
    flush(word);
  }

 private:
  std::size_t read_quoted(std::size_t open, std::string& word) {
    const std::size_t close = query_.find('"', open + 1);
    if (close == std::string_view::npos) bad_query(query_, "a closing quote is missing");
    if (word.empty()) word = '"';  // Marks a bare "text" term.
    word += query_.substr(open + 1, close - open - 1);
    return close;
  }

  void flush(std::string& word) {
    if (!word.empty()) tokens_.push_back(word);
    word.clear();
  }

  [[nodiscard]] bool next_is(std::string_view token) const {
    return at_ < tokens_.size() && tokens_[at_] == token;
  }

  NodePtr parse_either() {
    NodePtr node = parse_both();
    while (next_is("or")) {
      ++at_;
      node = make_node(Node::Kind::either, node, parse_both());
    }
    return node;
  }

  NodePtr parse_both() {
    NodePtr node = parse_term();
    while (at_ < tokens_.size() && !next_is("or") && !next_is(")")) {
      if (next_is("and")) ++at_;
      node = make_node(Node::Kind::both, node, parse_term());
    }
    return node;
  }

  NodePtr parse_term() {
    if (at_ >= tokens_.size()) bad_query(query_, "a term is missing at the end");
    const std::string token = tokens_[at_++];
    if (token == "not") return make_node(Node::Kind::negate, parse_term());
    if (token == "(") {
      NodePtr node = parse_either();
      if (!next_is(")")) bad_query(query_, "a closing parenthesis is missing");
      ++at_;
      return node;
    }
    if (token == ")" || token == "and" || token == "or") {
      bad_query(query_, "'" + token + "' is out of place");
    }
    return parse_leaf(token);
  }

  NodePtr parse_leaf(const std::string& token) {
    if (token.front() == '"') return search_leaf(token.substr(1), false);
    if (token.size() > 2 && token.front() == '/' && token.back() == '/') {
      return search_leaf(token.substr(1, token.size() - 2), true);
    }
    if (NodePtr leaf = field_leaf(token)) return leaf;
    const std::size_t colon = token.rfind(':');
    if (colon == std::string::npos) return search_leaf(token, false);
    const std::string verdict = token.substr(colon + 1);
    return backend_leaf(token.substr(0, colon), verdict);
  }

  /// `field:value` or `field<op>number`; null if the token does not start with a known field.
  NodePtr field_leaf(const std::string& token) {
    const std::size_t end = token.find_first_of(":=!<>");
    if (end == std::string::npos || end == 0) return nullptr;
    const std::string field = token.substr(0, end);
    const std::string_view rest = std::string_view(token).substr(end);
    if (!known_field(field)) {
      if (rest.front() == ':') return nullptr;
      std::vector<std::string_view> names;
      for (const FilterField& f : filter_fields()) names.push_back(f.name);
      bad_query(query_, "unknown field '" + field + "'" + did_you_mean(field, names));
    }
    if (rest.front() == ':') return value_leaf(field, rest.substr(1));
    for (const Operator& op : operators) {
      if (rest.starts_with(op.text)) return compare_leaf(field, op, rest.substr(op.text.size()));
    }
    bad_query(query_, "'" + token + "' has no operator fathom knows");
  }

  NodePtr value_leaf(const std::string& field, std::string_view value) {
    if (value.empty()) bad_query(query_, "'" + field + ":' has no value");
    return text_leaf(field, value);
  }

  NodePtr compare_leaf(const std::string& field, const Operator& op, std::string_view value) {
    const auto want = parse_quantity(value);
    if (!want && (op.text == "=" || op.text == "!=")) {
      return text_leaf(field, (op.text == "!=" ? "!" : "") + std::string(value));
    }
    if (!want) bad_query(query_, "'" + std::string(value) + "' is no number");
    return make_leaf([field, compare = op.compare, want = *want](const FilterRow& row) {
      const auto got = row.number(field);
      return got && compare(*got, want);
    });
  }

  static NodePtr search_leaf(const std::string& word, bool whole) {
    const std::string glob = whole ? word : "*" + word + "*";
    return make_leaf([glob](const FilterRow& row) { return glob_match(glob, row.all_text); });
  }

  std::string_view query_;
  std::vector<std::string> tokens_;
  std::size_t at_ = 0;
};

}  // namespace

Filter::Filter() : root_(std::make_shared<Node>()) {}

Filter Filter::parse(std::string_view query) {
  Filter filter;
  filter.text_ = query;
  if (trim(query).empty()) return filter;
  Parser parser(query);
  parser.tokenize();
  filter.root_ = parser.parse();
  return filter;
}

bool Filter::matches(const FilterRow& row) const {
  return holds(*root_, row);
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace fathom
