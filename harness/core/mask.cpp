// SPDX-License-Identifier: Apache-2.0
#include "harness/core/mask.h"

#include "harness/core/error.h"
#include "harness/core/text.h"

#include <array>

namespace fathom {
namespace {

std::string arguments(const Causal& term) {
  return term.corner == Corner::top_left ? "(top_left)" : "(bottom_right)";
}
std::string arguments(const Window& term) {
  return "(" + std::to_string(term.left) + "," + std::to_string(term.right) + ")";
}
std::string arguments(const PrefixLm&) {
  return "";
}
std::string arguments(const Document& term) {
  std::vector<std::string> lengths;
  for (const Index length : term.lengths) lengths.push_back(std::to_string(length));
  return "(" + join(lengths, ",") + ")";
}

using Arguments = std::vector<std::string_view>;

[[noreturn]] void bad_term(std::string_view term, std::string_view want) {
  throw DataError("mask term '" + std::string(term) + "' is not understood; write " +
                  std::string(want));
}

Index number(std::string_view term, std::string_view text, std::string_view want) {
  const auto value = parse_index(trim(text));
  if (!value) bad_term(term, want);
  return *value;
}

MaskTerm parse_causal(std::string_view term, const Arguments& args) {
  if (args.empty() || (args.size() == 1 && args[0] == "bottom_right")) return Causal{};
  if (args.size() == 1 && args[0] == "top_left") return Causal{Corner::top_left};
  bad_term(term, "causal(bottom_right) or causal(top_left)");
}

MaskTerm parse_window(std::string_view term, const Arguments& args) {
  constexpr std::string_view want = "window(left,right), each >= 0, or -1 for infinite";
  if (args.size() != 2) bad_term(term, want);
  const Window window{number(term, args[0], want), number(term, args[1], want)};
  if (window.left < -1 || window.right < -1) bad_term(term, want);
  return window;
}

MaskTerm parse_prefix_lm(std::string_view term, const Arguments& args) {
  if (!args.empty()) bad_term(term, "prefix_lm; the prefix length stands in seqs, as in 64p20");
  return PrefixLm{};
}

MaskTerm parse_document(std::string_view term, const Arguments& args) {
  constexpr std::string_view want = "document(n1,n2,...), lengths >= 1";
  if (args.empty()) bad_term(term, want);
  Document document;
  for (const std::string_view arg : args) {
    document.lengths.push_back(number(term, arg, want));
    if (document.lengths.back() < 1) bad_term(term, want);
  }
  return document;
}

/// Rows in the order of the variant's alternatives.
struct TermRow {
  std::string_view name;
  MaskTerm (*parse)(std::string_view term, const Arguments& args);
};
constexpr std::array term_rows{
    TermRow{"causal", parse_causal},
    TermRow{"window", parse_window},
    TermRow{"prefix_lm", parse_prefix_lm},
    TermRow{"document", parse_document},
};
static_assert(term_rows.size() == std::variant_size_v<MaskTerm>);

std::string_view name_of(const MaskTerm& term) {
  return term_rows[term.index()].name;
}

MaskTerm parse_term(std::string_view term) {
  const std::size_t open = term.find('(');
  const std::string_view name = term.substr(0, open);
  Arguments args;
  if (open != std::string_view::npos) {
    if (term.back() != ')') bad_term(term, "a closing parenthesis");
    args = split(term.substr(open + 1, term.size() - open - 2), ',');
  }
  std::vector<std::string_view> names;
  for (const TermRow& row : term_rows) {
    if (row.name == name) return row.parse(term, args);
    names.push_back(row.name);
  }
  throw DataError("mask term '" + std::string(name) + "' is unknown" + did_you_mean(name, names));
}

}  // namespace

std::string to_string(const Mask& mask) {
  if (mask.terms.empty()) return "full";
  std::vector<std::string> terms;
  for (const MaskTerm& term : mask.terms) {
    terms.push_back(std::string(name_of(term)) +
                    std::visit([](const auto& t) { return arguments(t); }, term));
  }
  return join(terms, "&");
}

Mask parse_mask(std::string_view text) {
  Mask mask;
  if (text == "full") return mask;
  for (const std::string_view term : split(text, '&')) mask.terms.push_back(parse_term(trim(term)));
  return mask;
}

std::string family(const Mask& mask) {
  if (mask.terms.empty()) return "full";
  std::vector<std::string> names;
  for (const MaskTerm& term : mask.terms) names.emplace_back(name_of(term));
  return join(names, "&");
}

}  // namespace fathom
