// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/oracle.h"

#include <memory>
#include <string>

namespace fathom::reference {

struct OracleOptions {
  int threads = 0;  ///< 0: all cores. The bits do not depend on it.
};

/// The fp64 oracle: streaming over tiles, skipping what the mask hides.
std::unique_ptr<Oracle> make_oracle(OracleOptions options = {});

/// Why this CPU cannot run the oracle as it was built; empty if it can.
std::string why_cpu_unfit();

}  // namespace fathom::reference
