// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/problem.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// What a worker must declare before it may answer: `mask.prefix_lm`, `gqa`, `varlen`, ... in table
/// order. A worker refuses a Problem with a token it does not know (must-understand rule).
std::vector<std::string> feature_tokens(const Problem& problem);

/// Every token that feature_tokens can yield, with the sentence that explains it.
struct FeatureToken {
  std::string_view name;
  std::string_view meaning;
  bool (*needed)(const Problem&);
};
std::span<const FeatureToken> all_feature_tokens();

}  // namespace fathom
