// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/mask_matrix.h"

#include "harness/core/visible.h"
#include "harness/probes/numbers.h"
#include "harness/probes/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom::conventions_probe {
namespace {

/// A matrix that implementations are known to have, by name.
struct Known {
  std::string name;
  Mask mask;
};

/// The names that go with the first term of a mask, the one asked for in front.
std::vector<Known> known_for(const Mask& mask) {
  const Known full{"full", Mask{}};
  const Known bottom{"bottom_right", causal(Corner::bottom_right)};
  const Known top{"top_left", causal(Corner::top_left)};
  if (mask.terms.empty()) return {full, bottom, top};
  if (mask.terms.size() == 1) {
    if (const auto* term = std::get_if<Causal>(&mask.terms[0])) {
      return term->corner == Corner::top_left ? std::vector{top, bottom, full}
                                              : std::vector{bottom, top, full};
    }
  }
  std::vector<Known> known{{"as asked", mask}};
  if (const auto* term = std::get_if<Window>(&mask.terms.back())) {
    const auto fewer = [](Index side) { return side > 0 ? side - 1 : side; };
    const auto more = [](Index side) { return side < 0 ? side : side + 1; };
    const auto literal = [](Index side) { return std::max<Index>(side, 0); };
    known = {{term->left < 0 && term->right == 0 ? "causal"
              : term->left < 0                   ? "left end infinite"
              : term->right < 0                  ? "W+1 keys, right end infinite"
                                                 : "W+1 keys",
              mask},
             {"W keys", window(fewer(term->left), fewer(term->right))},
             {"W keys on the left", window(fewer(term->left), term->right)},
             {"W+2 keys", window(more(term->left), more(term->right))},
             {"W+2 keys on the left", window(more(term->left), term->right)},
             {"-1 as a finite side", window(literal(term->left), literal(term->right))},
             {"left end only", window(term->left, -1)},
             {"right end only", window(-1, term->right)},
             {"causal", causal(Corner::bottom_right)}};
  }
  known.push_back(full);
  known.push_back(bottom);
  known.push_back(top);
  return known;
}

/// A row of text for each query, where that is short enough to be read.
std::string bitmap(const Matrix& matrix) {
  constexpr std::size_t most = 16;
  if (matrix.size() > most || matrix[0].size() > most) return "";
  std::string text;
  for (const auto& row : matrix) {
    if (!text.empty()) text += '/';
    for (const char seen : row) text += seen != 0 ? '1' : '0';
  }
  return text;
}

}  // namespace

Mask causal(Corner corner) {
  return {{Causal{corner}}};
}
Mask window(Index left, Index right) {
  return {{Window{left, right}}};
}

Matrix matrix_of(const Mask& mask, const Sequence& s) {
  Matrix matrix(static_cast<std::size_t>(s.query_length),
                std::vector<char>(static_cast<std::size_t>(s.key_length)));
  for (Index query = 0; query < s.query_length; ++query) {
    const KeyRange seen = visible_keys(mask, s, query);
    auto& row = matrix[static_cast<std::size_t>(query)];
    std::fill(row.begin() + seen.begin, row.begin() + std::max(seen.begin, seen.end), 1);
  }
  return matrix;
}

void one_block(const Problem& problem, TensorSet& inputs, Index first) {
  probing::fill_with(problem, inputs, TensorName::q, 0);
  probing::fill_with(problem, inputs, TensorName::v, 0);
  Tensor& v = inputs.at(TensorName::v);
  std::vector<double> row(static_cast<std::size_t>(problem.value_dim));
  for_each_place(problem, TensorName::v, [&](RowPlace place) {
    if (place.row < first || place.row >= first + problem.value_dim) return;
    const auto channel = static_cast<std::size_t>(place.row - first);
    row[channel] = 1;
    write_row(problem, v, place, row);
    row[channel] = 0;
  });
}

Index block_count(const Problem& problem, const Question& question) {
  return (question.lengths.key_length + problem.value_dim - 1) / problem.value_dim;
}

Matrix read_matrix(std::span<const Outcome> blocks, const Sequence& s, Index head) {
  Matrix matrix = matrix_of(Mask{}, s);
  Index first = 0;
  for (const Outcome& outcome : blocks) {
    const Problem& problem = outcome.observation->c.problem;
    const Tensor& o = outcome.observation->outputs.at(TensorName::o).tensor;
    for (Index query = 0; query < s.query_length; ++query) {
      const std::vector<double> row = read_row(problem, o, {0, head, query});
      auto& seen = matrix[static_cast<std::size_t>(query)];
      for (std::size_t c = 0; c < row.size(); ++c) {
        const auto key = static_cast<std::size_t>(first) + c;
        if (key < seen.size()) seen[key] = row[c] != 0 && !std::isnan(row[c]) ? 1 : 0;
      }
    }
    first += problem.value_dim;
  }
  return matrix;
}

std::string first_disagreement(const Matrix& got, const Matrix& want) {
  for (std::size_t query = 0; query < got.size(); ++query) {
    for (std::size_t key = 0; key < got[query].size(); ++key) {
      if (got[query][key] == want[query][key]) continue;
      return fmt::format("query {} {} key {}", query, got[query][key] != 0 ? "sees" : "misses",
                         key);
    }
  }
  return "nothing differs";
}

std::string name_of(const Matrix& matrix, const Question& question) {
  for (const Known& known : known_for(question.mask)) {
    if (matrix == matrix_of(known.mask, question.lengths)) return known.name;
  }
  std::string picture = bitmap(matrix);
  if (!picture.empty()) return picture;
  return "unknown: " + first_disagreement(matrix, matrix_of(question.mask, question.lengths));
}

}  // namespace fathom::conventions_probe
