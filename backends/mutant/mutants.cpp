// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/mutants.h"

#include <array>

namespace fathom::mutant {
namespace {

constexpr std::array<std::string_view, 13> axis_words{
    "rows", "tile", "head",       "sequence", "channel", "mask_edge", "factor",
    "key",  "lse",  "everywhere", "zero",     "repeat",  "stale"};

/// A JSON member; the texts of the table hold no character that JSON would escape.
std::string member(std::string_view key, std::string_view value) {
  return "\"" + std::string(key) + "\": \"" + std::string(value) + "\"";
}

}  // namespace

std::string_view to_string(Axis axis) {
  return axis_words[static_cast<std::size_t>(axis)];
}

std::string to_string(Axes axes) {
  std::string text;
  for (std::size_t i = 0; i < axis_words.size(); ++i) {
    if (!axes.has(static_cast<Axis>(i))) continue;
    text += (text.empty() ? "" : "|") + std::string(axis_words[i]);
  }
  return text;
}

std::string_view to_string(Pass pass) {
  return pass == Pass::forward ? "forward" : "backward";
}

std::vector<Mutant> all_mutants() {
  std::vector<Mutant> all;
  for (const auto& family : {mask_mutants(), read_mutants(), arithmetic_mutants(), output_mutants(),
                             gradient_mutants()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

std::string table_json() {
  std::string text;
  for (const Mutant& mutant : all_mutants()) {
    text += text.empty() ? "[\n" : ",\n";
    text += "{" + member("name", mutant.name) + ", " + member("what", mutant.what) + ", " +
            member("imitates", mutant.imitates) + ", " + member("pass", to_string(mutant.pass)) +
            ", " + member("axis", to_string(mutant.axes)) + "}";
  }
  return text + "\n]\n";
}

}  // namespace fathom::mutant
