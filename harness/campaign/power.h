// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/campaign/kill_matrix.h"

#include <map>
#include <string>
#include <vector>

namespace fathom {

/// k of n with the 95 % interval of Clopper and Pearson (Biometrika 26, 1934).
struct Rate {
  Index killed = 0;
  Index of = 0;  ///< Cells that are not equivalent.
  double low = 0;
  double high = 1;
};
Rate rate_of(Index killed, Index of);

/// What a KillMatrix says, counted.
struct Power {
  Rate all;
  std::map<std::string, Rate> by_group;  ///< `bf16 n_k=1025 forward` and the like.
  Index equivalent = 0;
  std::vector<std::string> survivors;  ///< `drop_key bf16 n_k=193`
  std::vector<std::string> dead;       ///< Mutants equivalent in every cell: they plant nothing.
  std::vector<std::string> fragile;    ///< Mutants that one Check alone kills. Full runs only.
  std::map<std::string, Index> kills;  ///< Check -> cells in which it failed.
  std::map<std::string, Index> alone;  ///< Check -> cells that no other Check kills.
};
Power power_of(const KillMatrix& matrix);

}  // namespace fathom
