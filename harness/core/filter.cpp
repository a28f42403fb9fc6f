// SPDX-License-Identifier: Apache-2.0
#include "harness/core/filter.h"

#include "harness/core/filter_tokens.h"
#include "harness/core/text.h"
#include "harness/core/verdict.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fathom {

/// A query is a tree of these; leaves test one row. `all` and `any` have any number of parts, so
/// the tree is as deep as the query's parentheses and no deeper.
struct Filter::Node {
  enum class Kind : std::uint8_t { all, any, negate, leaf };
  Kind kind = Kind::all;
  std::vector<std::shared_ptr<const Node>> parts;
  std::function<bool(const FilterRow&)> test;
};

namespace {

using Node = Filter::Node;
using Nodes = std::vector<std::shared_ptr<const Node>>;
using NodePtr = std::shared_ptr<const Node>;
using Test = std::function<bool(const FilterRow&)>;

constexpr int deepest = 64;  ///< Levels of parentheses; a query may come from anyone.

bool holds(const Node& node, const FilterRow& row) {
  const auto part_holds = [&](const NodePtr& part) { return holds(*part, row); };
  switch (node.kind) {
    case Node::Kind::all: return std::all_of(node.parts.begin(), node.parts.end(), part_holds);
    case Node::Kind::any: return std::any_of(node.parts.begin(), node.parts.end(), part_holds);
    case Node::Kind::negate: return !holds(*node.parts.front(), row);
    case Node::Kind::leaf: return node.test(row);
  }
  return false;
}

NodePtr make_node(Node::Kind kind, Nodes parts, Test test = nullptr) {
  if (kind != Node::Kind::negate && parts.size() == 1) return parts.front();
  return std::make_shared<Node>(Node{kind, std::move(parts), std::move(test)});
}

NodePtr make_leaf(Test test) {
  return make_node(Node::Kind::leaf, {}, std::move(test));
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

struct Operator {
  std::string_view text;
  bool (*compare)(double, double);
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

std::string guess_field(std::string_view name) {
  std::vector<std::string_view> names;
  for (const FilterField& field : filter_fields()) names.push_back(field.name);
  return did_you_mean(name, names);
}

const FilterField* find_field(std::string_view name) {
  const std::vector<FilterField>& fields = filter_fields();
  const auto at = std::find_if(fields.begin(), fields.end(),
                               [&](const FilterField& field) { return field.name == name; });
  return at == fields.end() ? nullptr : &*at;
}

/// `a,b*,window(1,2)` or `!a,b`: globs, of which one or none must match.
struct Alternatives {
  bool negated = false;
  std::vector<std::string> globs;

  explicit Alternatives(std::string_view value) : negated(value.starts_with('!')) {
    if (negated) value.remove_prefix(1);
    globs.emplace_back();
    int depth = 0;
    for (const char c : value) {
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      if (c == ',' && depth <= 0) {
        globs.emplace_back();
      } else {
        globs.back() += c;
      }
    }
    // Some texts hold commas themselves: seqs:3,5 means either length, or the list.
    if (globs.size() > 1) globs.emplace_back(value);
  }

  template <typename Matches>
  [[nodiscard]] bool any(Matches matches) const {
    return std::any_of(globs.begin(), globs.end(), matches);
  }
};

/// `field:value`. A number without a text form is compared as one: hq:8,16.
NodePtr value_leaf(std::string field, std::string_view value) {
  return make_leaf([field = std::move(field), want = Alternatives(value)](const FilterRow& row) {
    const std::vector<std::string> texts = row.texts(field);
    const auto number = texts.empty() ? row.number(field) : std::nullopt;
    const bool any = want.any([&](const std::string& glob) {
      if (number) return glob == "*" || parse_quantity(glob) == number;
      return std::any_of(texts.begin(), texts.end(),
                         [&](const std::string& text) { return glob_match(glob, text); });
    });
    return any != want.negated;
  });
}

NodePtr number_leaf(std::string field, const Operator& op, double want) {
  return make_leaf([field = std::move(field), &op, want](const FilterRow& row) {
    const auto got = row.number(field);
    return got && op.compare(*got, want);
  });
}

NodePtr glob_leaf(const std::string& glob) {
  return make_leaf(
      [glob = '*' + glob + '*'](const FilterRow& row) { return glob_match(glob, row.all_text); });
}

NodePtr literal_leaf(std::string text) {
  return make_leaf([text = std::move(text)](const FilterRow& row) {
    return row.all_text.find(text) != std::string::npos;
  });
}

/// Whether a value of backend:verdict can match some outcome, so that a mistyped field is not
/// taken for a backend.
bool names_verdict(std::string_view value) {
  return Alternatives(value).any([](const std::string& glob) {
    const std::string head = glob.substr(0, glob.find('('));
    return glob_match(head, to_string(Expected::expected_fail)) ||
           glob_match(head, to_string(Expected::unexpected_pass)) ||
           std::any_of(verdicts.begin(), verdicts.end(),
                       [&](const VerdictInfo& row) { return glob_match(head, row.name); });
  });
}

class Parser {
 public:
  explicit Parser(std::string_view query) : query_(query), tokens_(filter_tokens(query)) {}

  NodePtr parse() {
    NodePtr node = parse_either();
    if (at_ < tokens_.size()) out_of_place();
    return node;
  }

 private:
  [[nodiscard]] bool next_is(std::string_view text) const {
    return at_ < tokens_.size() && tokens_[at_].text == text && !tokens_[at_].quoted;
  }

  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    ++at_;
    return true;
  }

  [[noreturn]] void fail(const std::string& what) const { bad_filter(query_, what); }
  [[noreturn]] void out_of_place() const { fail("'" + tokens_[at_].text + "' is out of place"); }

  NodePtr parse_either() {
    Nodes parts{parse_both()};
    while (take("or")) parts.push_back(parse_both());
    return make_node(Node::Kind::any, std::move(parts));
  }

  NodePtr parse_both() {
    Nodes parts{parse_term()};
    while (at_ < tokens_.size() && !next_is("or") && !next_is(")")) {
      take("and");
      parts.push_back(parse_term());
    }
    return make_node(Node::Kind::all, std::move(parts));
  }

  NodePtr parse_term() {
    bool negated = false;
    while (take("not")) negated = !negated;
    NodePtr node = take("(") ? parse_group() : parse_leaf();
    return negated ? make_node(Node::Kind::negate, {node}) : node;
  }

  NodePtr parse_group() {
    if (++depth_ > deepest) fail("it is nested deeper than " + std::to_string(deepest) + " levels");
    NodePtr node = parse_either();
    if (!take(")")) fail("a closing parenthesis is missing");
    --depth_;
    return node;
  }

  NodePtr parse_leaf() {
    if (at_ >= tokens_.size()) fail("a term is missing at the end");
    if (next_is(")") || next_is("and") || next_is("or")) out_of_place();
    const FilterToken& token = tokens_[at_++];
    const std::string& text = token.text;
    if (token.quoted) return literal_leaf(text);
    if (text.size() > 2 && text.front() == '/' && text.back() == '/') {
      return glob_leaf(text.substr(1, text.size() - 2));
    }
    const std::size_t end = text.find_first_of(":=!<>");
    if (end == std::string::npos) return glob_leaf(text);
    const FilterField* field = find_field(text.substr(0, end));
    if (field == nullptr) return verdict_leaf(text, end);
    if (text[end] == ':') return value_leaf(text.substr(0, end), value_after(text, end + 1));
    return compare_leaf(*field, text, end);
  }

  [[nodiscard]] std::string_view value_after(std::string_view text, std::size_t begin) const {
    const std::string_view value = text.substr(begin);
    if (value.empty() || value == "!") fail("'" + std::string(text) + "' has no value");
    return value;
  }

  /// `backend:verdict`: the row is that backend's and has that outcome.
  [[nodiscard]] NodePtr verdict_leaf(const std::string& text, std::size_t end) const {
    const std::string head = text.substr(0, end);
    if (head.empty()) fail("'" + text + "' has nothing before '" + text[end] + "'");
    if (text[end] != ':') fail("unknown field '" + head + "'" + guess_field(head));
    const std::size_t colon = text.rfind(':');
    const std::string_view verdict = value_after(text, colon + 1);
    if (!names_verdict(verdict)) {
      fail("'" + text + "' is neither field:value" + guess_field(head) +
           " nor backend:verdict; a backend alone is backend:" + text);
    }
    return make_node(Node::Kind::all, {value_leaf("backend", text.substr(0, colon)),
                                       value_leaf("verdict", verdict)});
  }

  /// `field<op>number`; = and != compare texts too.
  [[nodiscard]] NodePtr compare_leaf(const FilterField& field, std::string_view text,
                                     std::size_t end) const {
    const std::string name(field.name);
    const auto op = std::find_if(operators.begin(), operators.end(), [&](const Operator& o) {
      return text.substr(end).starts_with(o.text);
    });
    if (op == operators.end()) fail("'" + std::string(text) + "' has no operator fathom knows");
    const std::string_view value = value_after(text, end + op->text.size());
    const auto number = parse_quantity(value);
    if (field.number && number) return number_leaf(name, *op, *number);
    if (field.text && op->text == "=") return value_leaf(name, value);
    if (field.text && op->text == "!=") return value_leaf(name, '!' + std::string(value));
    fail(field.number ? "'" + std::string(value) + "' is no number"
                      : "'" + name + "' is no number; compare it with : or =");
  }

  std::string_view query_;
  std::vector<FilterToken> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Filter::Filter() : root_(std::make_shared<Node>()) {}

Filter Filter::parse(std::string_view query) {
  Filter filter;
  filter.text_ = query;
  if (!trim(query).empty()) filter.root_ = Parser(query).parse();
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
