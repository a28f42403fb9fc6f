// SPDX-License-Identifier: Apache-2.0
#include "harness/core/case.h"

#include "harness/core/error.h"
#include "harness/core/text.h"

#include <charconv>
#include <optional>

namespace fathom {
namespace {

std::uint64_t parse_seed(std::string_view text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return seed;
  throw DataError("seed is '" + std::string(text) + "'; it must be a whole number, 0 to 2^64 - 1");
}

/// The value of a word, or a sentence that names the nearest row of its table.
template <typename Value, typename Table>
Value named(std::string_view what, std::string_view name,
            std::optional<Value> (*parse)(std::string_view), const Table& table) {
  if (const auto value = parse(name)) return *value;
  std::vector<std::string_view> names;
  for (const auto& row : table) names.push_back(row.name);
  throw DataError(std::string(what) + " '" + std::string(name) + "' is unknown" +
                  did_you_mean(name, names));
}

void set_once(std::optional<std::string_view>& field, std::string_view token) {
  const std::string_view key = token.substr(0, token.find('='));
  if (field) throw DataError("field '" + std::string(key) + "' is given twice");
  field = token.substr(key.size() + 1);
}

/// FNV-1a: stable across machines and versions, which std::hash is not. The last step lets the last
/// letters, which are the seed's, reach every bit.
std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 33);
}

}  // namespace

std::string to_string(const Case& c) {
  std::string text = to_string(c.problem) + " fill=" + std::string(to_string(c.fill)) +
                     " seed=" + std::to_string(c.seed);
  if (c.probe != ProbeName::plain) text += " probe=" + std::string(to_string(c.probe));
  return text;
}

Case parse_case(std::string_view text) {
  Case c;
  std::string problem;
  std::optional<std::string_view> fill;
  std::optional<std::string_view> seed;
  std::optional<std::string_view> probe;
  for (const std::string_view token : split(trim(text), ' ')) {
    if (token.starts_with("fill=")) {
      set_once(fill, token);
    } else if (token.starts_with("seed=")) {
      set_once(seed, token);
    } else if (token.starts_with("probe=")) {
      set_once(probe, token);
    } else {
      problem += std::string(token) + ' ';
    }
  }
  c.problem = parse_problem(problem);
  if (fill) c.fill = named("fill", *fill, &parse_fill, fills);
  if (seed) c.seed = parse_seed(*seed);
  if (probe) c.probe = named("probe", *probe, &parse_probe_name, probe_infos);
  return c;
}

std::string case_id(std::string_view backend, const Case& c) {
  std::uint64_t hash = stable_hash(std::string(backend) + '\n' + to_string(c));
  std::string id;
  for (int i = 0; i < 10; ++i, hash >>= 4) id += "0123456789abcdef"[hash & 0xF];
  return id;
}

}  // namespace fathom
