// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <optional>
#include <string>

// Numbers for people: three significant digits and a unit. Files for machines keep base units.

namespace fathom {

std::string format_time(double nanoseconds);             ///< `1.23 ms`
std::string format_bytes(double bytes);                  ///< `1.5 GiB`: powers of 1024
std::string format_flops(double per_second);             ///< `12.3 GFLOP/s`: powers of 1000
std::string format_traffic(double per_second);           ///< `4.2 GB/s`: powers of 1000
std::string format_number(double value);                 ///< `0.0123`, `1.2e-07`
std::string format_number(std::optional<double> value);  ///< `–` where there is none.
std::string format_count(Index count);                   ///< `9,612`

}  // namespace fathom
