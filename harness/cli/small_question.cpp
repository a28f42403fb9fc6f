// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/small_question.h"

#include <algorithm>
#include <array>

namespace fathom::cli {
namespace {

bool declares(const BackendStatus& status, const std::string& token) {
  return std::find(status.features.begin(), status.features.end(), token) != status.features.end();
}

}  // namespace

Problem small_question(const BackendStatus& status) {
  Problem problem;
  problem.query_heads = problem.kv_heads = 2;
  problem.sequences = {{5, 5}};
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16, Dtype::f32}) {
    if (declares(status, "dtype." + std::string(to_string(dtype)))) problem.dtype = dtype;
  }
  constexpr std::array layouts{std::pair{Layout::thd, "varlen"},
                               std::pair{Layout::bhsd, "layout.bhsd"},
                               std::pair{Layout::bshd, "layout.bshd"}};
  for (const auto& [layout, token] : layouts) {
    if (declares(status, token)) problem.layout = layout;
  }
  return problem;
}

}  // namespace fathom::cli
