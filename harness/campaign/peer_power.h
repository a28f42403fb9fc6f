// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/campaign/kill_matrix.h"

#include <string>
#include <vector>

namespace fathom {

/// What one acceptance rule of another project would have killed of the same cells.
struct PeerPower {
  std::string rule;
  std::string project;
  std::string link;
  Index killed = 0;      ///< Cells in which the rule fails the mutant, and passes its honest twin.
  Index own_killed = 0;  ///< The same, on the rule's own kind of data alone.
  Index of = 0;          ///< Cells that are not equivalent.
  Index cries = 0;       ///< Cases in which it fails the honest twin.
  Index cases = 0;
};

/// One row per rule, of a matrix that was built with peers, best first.
std::vector<PeerPower> peer_power_of(const KillMatrix& matrix);

/// A Markdown table of them, with our own line on top.
std::string peer_table(const std::vector<PeerPower>& peers, const KillMatrix& matrix);

}  // namespace fathom
