// SPDX-License-Identifier: Apache-2.0
#include "harness/core/problem.h"

#include "harness/core/error.h"
#include "harness/core/text.h"
#include "harness/core/words.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom {
namespace {

/// Spelled values of an enumeration, in the order of its enumerators.
constexpr std::array<std::string_view, 2> direction_words{"fwd", "fwd+bwd"};
constexpr std::array<std::string_view, 3> layout_words{"bshd", "bhsd", "thd"};
constexpr std::array<std::string_view, 3> lse_words{"no", "wanted", "required"};

Index positive(std::string_view key, std::string_view value) {
  const auto number = parse_index(value);
  if (!number || *number < 1) bad_value(key, value, "a whole number >= 1");
  return *number;
}

bool flag(std::string_view key, std::string_view value) {
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  bad_value(key, value, "true or false");
}

std::string to_text(bool value) {
  return value ? "true" : "false";
}

constexpr std::string_view seqs_want =
    "sequences like 128, 64x70, 64p20 or 2*37x37p5 (count*queries x keys p prefix), "
    "joined by commas";
constexpr Index most_sequences = 1 << 20;

/// `37x40p5`, the key length left out where it equals the query length, the prefix where it is 0.
std::string to_text(const Sequence& s) {
  std::string text = std::to_string(s.query_length);
  if (s.key_length != s.query_length) text += "x" + std::to_string(s.key_length);
  if (s.prefix_length != 0) text += "p" + std::to_string(s.prefix_length);
  return text;
}

std::string sequences_to_text(const std::vector<Sequence>& sequences) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < sequences.size();) {
    std::size_t run = i;
    while (run < sequences.size() && sequences[run] == sequences[i]) ++run;
    const std::string count = run - i > 1 ? std::to_string(run - i) + "*" : "";
    parts.push_back(count + to_text(sequences[i]));
    i = run;
  }
  return join(parts, ",");
}

/// Cuts `mark` and what follows it off `text` and reads it as a length.
std::optional<Index> cut_length(std::string_view& text, char mark, std::string_view whole) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const auto length = parse_index(text.substr(at + 1));
  if (!length || *length < 0) bad_value("seqs", whole, seqs_want);
  text = text.substr(0, at);
  return length;
}

std::vector<Sequence> parse_sequences(std::string_view whole) {
  std::vector<Sequence> sequences;
  for (std::string_view text : split(whole, ',')) {
    Index count = 1;
    if (const std::size_t star = text.find('*'); star != std::string_view::npos) {
      count = positive("seqs count", text.substr(0, star));
      text.remove_prefix(star + 1);
    }
    const auto prefix = cut_length(text, 'p', whole);
    const auto keys = cut_length(text, 'x', whole);
    const auto queries = parse_index(text);
    if (!queries || *queries < 0) bad_value("seqs", whole, seqs_want);
    if (count > most_sequences - static_cast<Index>(sequences.size())) {
      bad_value("seqs", whole, "at most " + std::to_string(most_sequences) + " sequences");
    }
    sequences.insert(sequences.end(), static_cast<std::size_t>(count),
                     {*queries, keys.value_or(*queries), prefix.value_or(0)});
  }
  return sequences;
}

std::optional<double> parse_scale(std::string_view value) {
  if (value == "default") return std::nullopt;
  const auto scale = parse_double(value);
  if (!scale) bad_value("scale", value, "a finite number or 'default' (1/sqrt(d))");
  return scale;
}

using Kind = ProblemField::Kind;
using View = std::string_view;

const std::array problem_table{
    ProblemField{
        "dir", Kind::word, true,
        [](const Problem& p) { return word(p.direction, direction_words); },
        [](Problem& p, View v) { p.direction = from_word<Direction>("dir", v, direction_words); }},
    ProblemField{"dtype", Kind::word, true,
                 [](const Problem& p) { return std::string(to_string(p.dtype)); },
                 [](Problem& p, View v) { p.dtype = dtype_from_word("dtype", v); }},
    ProblemField{
        "layout", Kind::word, true, [](const Problem& p) { return word(p.layout, layout_words); },
        [](Problem& p, View v) { p.layout = from_word<Layout>("layout", v, layout_words); }},
    ProblemField{"hq", Kind::number, true,
                 [](const Problem& p) { return std::to_string(p.query_heads); },
                 [](Problem& p, View v) { p.query_heads = positive("hq", v); }},
    ProblemField{"hkv", Kind::number, true,
                 [](const Problem& p) { return std::to_string(p.kv_heads); },
                 [](Problem& p, View v) { p.kv_heads = positive("hkv", v); }},
    ProblemField{"d", Kind::number, true,
                 [](const Problem& p) { return std::to_string(p.head_dim); },
                 [](Problem& p, View v) { p.head_dim = positive("d", v); }},
    ProblemField{"dv", Kind::number, true,
                 [](const Problem& p) { return std::to_string(p.value_dim); },
                 [](Problem& p, View v) { p.value_dim = positive("dv", v); }},
    ProblemField{"seqs", Kind::word, true,
                 [](const Problem& p) { return sequences_to_text(p.sequences); },
                 [](Problem& p, View v) { p.sequences = parse_sequences(v); }},
    ProblemField{"mask", Kind::word, true, [](const Problem& p) { return to_string(p.mask); },
                 [](Problem& p, View v) { p.mask = parse_mask(v); }},
    ProblemField{"scale", Kind::word, false,
                 [](const Problem& p) {
                   return p.softmax_scale ? fathom::to_text(*p.softmax_scale)
                                          : std::string("default");
                 },
                 [](Problem& p, View v) { p.softmax_scale = parse_scale(v); }},
    ProblemField{"lse", Kind::word, false, [](const Problem& p) { return word(p.lse, lse_words); },
                 [](Problem& p, View v) { p.lse = from_word<LseRequest>("lse", v, lse_words); }},
    ProblemField{"dlse", Kind::flag, false,
                 [](const Problem& p) { return to_text(p.lse_cotangent); },
                 [](Problem& p, View v) { p.lse_cotangent = flag("dlse", v); }},
    ProblemField{"deterministic", Kind::flag, false,
                 [](const Problem& p) { return to_text(p.deterministic); },
                 [](Problem& p, View v) { p.deterministic = flag("deterministic", v); }},
};

/// a * b <= limit for non-negative numbers, without overflow.
bool product_fits(Index a, Index b, Index limit) {
  return b == 0 || a <= limit / b;
}

constexpr Index most_elements = Index{1} << 40;
/// Kernels take 32-bit cu_seqlens; so bounded, a count of visible pairs cannot overflow either.
constexpr Index most_tokens = (Index{1} << 31) - 1;

std::optional<std::string> why_lengths_invalid(const Problem& p) {
  if (p.sequences.empty()) return "seqs is empty; give at least one sequence";
  Index total = 0;
  for (const Sequence& s : p.sequences) {
    if (s.query_length < 0 || s.key_length < 0) return "seqs holds a negative length";
    if (s.prefix_length < 0 || s.prefix_length > s.key_length) {
      return "seqs holds a prefix of " + std::to_string(s.prefix_length) + " in " +
             std::to_string(s.key_length) + " keys; it must be 0 to the key length";
    }
    if (s.prefix_length != 0 && !has<PrefixLm>(p.mask)) {
      return "seqs gives a prefix length, but the mask has no prefix_lm term";
    }
    const Index length = std::max(s.query_length, s.key_length);
    if (length > most_tokens - total) return "seqs holds more than 2^31 - 1 tokens";
    total += length;
  }
  const Index widest = p.query_heads * std::max(p.head_dim, p.value_dim);
  if (!product_fits(total, widest, most_elements)) {
    return "a tensor would hold more than 2^40 elements";
  }
  return std::nullopt;
}

/// Whether the numbers of a term are ones that parse_mask would take, and small enough to add.
bool in_range(const MaskTerm& term) {
  if (const auto* window = std::get_if<Window>(&term)) {
    return std::min(window->left, window->right) >= -1 &&
           std::max(window->left, window->right) <= most_tokens;
  }
  if (const auto* document = std::get_if<Document>(&term)) {
    return !document->lengths.empty() &&
           std::all_of(document->lengths.begin(), document->lengths.end(),
                       [](Index n) { return n >= 1 && n <= most_tokens; });
  }
  return true;
}

std::optional<std::string> why_mask_invalid(const Mask& mask) {
  for (const MaskTerm& term : mask.terms) {
    if (in_range(term)) continue;
    return "mask term '" + to_string(Mask{{term}}) + "' holds a number out of range; windows are " +
           "-1 to 2^31 - 1, document lengths 1 to 2^31 - 1";
  }
  return std::nullopt;
}

}  // namespace

double softmax_scale(const Problem& problem) {
  return problem.softmax_scale.value_or(1.0 / std::sqrt(static_cast<double>(problem.head_dim)));
}

bool has_backward(const Problem& problem) {
  return problem.direction == Direction::fwd_bwd;
}

bool has_cross_lengths(const Problem& problem) {
  return std::any_of(problem.sequences.begin(), problem.sequences.end(),
                     [](const Sequence& s) { return s.query_length != s.key_length; });
}

namespace {

std::vector<Index> running_sums(const Problem& problem, Index Sequence::*length) {
  std::vector<Index> sums{0};
  for (const Sequence& s : problem.sequences) sums.push_back(sums.back() + s.*length);
  return sums;
}

}  // namespace

std::vector<Index> cu_seqlens_q(const Problem& problem) {
  return running_sums(problem, &Sequence::query_length);
}

std::vector<Index> cu_seqlens_k(const Problem& problem) {
  return running_sums(problem, &Sequence::key_length);
}

std::optional<std::string> why_invalid(const Problem& p) {
  constexpr Index widest = 1 << 20;
  for (const Index extent : {p.query_heads, p.kv_heads, p.head_dim, p.value_dim}) {
    if (extent < 1 || extent > widest) return "hq, hkv, d and dv must be 1 to 2^20";
  }
  if (p.query_heads % p.kv_heads != 0) {
    return "hkv=" + std::to_string(p.kv_heads) +
           " does not divide hq=" + std::to_string(p.query_heads);
  }
  if (auto reason = why_lengths_invalid(p)) return reason;
  if (auto reason = why_mask_invalid(p.mask)) return reason;
  if (p.softmax_scale && !std::isfinite(*p.softmax_scale)) return "scale is not a finite number";
  if (p.layout != Layout::thd) {
    const auto differs = [&](const Sequence& s) {
      return s.query_length != p.sequences[0].query_length ||
             s.key_length != p.sequences[0].key_length;
    };
    if (std::any_of(p.sequences.begin(), p.sequences.end(), differs)) {
      return "a dense layout needs equal lengths in all sequences; use layout=thd";
    }
  }
  if (p.lse_cotangent && !has_backward(p)) return "dlse is given, but dir is fwd";
  return std::nullopt;
}

std::span<const ProblemField> problem_fields() {
  return problem_table;
}

std::string to_string(const Problem& problem) {
  static const Problem defaults;
  std::string text;
  for (const ProblemField& field : problem_table) {
    const std::string value = field.get(problem);
    if (!field.required && value == field.get(defaults)) continue;
    if (!text.empty()) text += ' ';
    text += std::string(field.key) + '=' + value;
  }
  return text;
}

namespace {

const ProblemField& field_named(std::string_view key) {
  std::vector<std::string_view> keys;
  for (const ProblemField& field : problem_table) {
    if (field.key == key) return field;
    keys.push_back(field.key);
  }
  throw DataError("unknown field '" + std::string(key) + "'" + did_you_mean(key, keys));
}

void require_all(const std::vector<std::string_view>& seen) {
  for (const ProblemField& field : problem_table) {
    if (field.required && std::find(seen.begin(), seen.end(), field.key) == seen.end()) {
      throw DataError("field '" + std::string(field.key) + "' is missing");
    }
  }
}

}  // namespace

Problem parse_problem(std::string_view text) {
  Problem problem;
  std::vector<std::string_view> seen;
  for (const std::string_view token : split(trim(text), ' ')) {
    if (token.empty()) continue;
    const std::size_t equals = token.find('=');
    if (equals == std::string_view::npos) {
      throw DataError("'" + std::string(token) + "' is no key=value field");
    }
    const ProblemField& field = field_named(token.substr(0, equals));
    if (std::find(seen.begin(), seen.end(), field.key) != seen.end()) {
      throw DataError("field '" + std::string(field.key) + "' is given twice");
    }
    field.set(problem, token.substr(equals + 1));
    seen.push_back(field.key);
  }
  require_all(seen);
  if (const auto reason = why_invalid(problem)) throw DataError(*reason);
  return problem;
}

}  // namespace fathom
