// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace fathom {

/// Numbers first, first + 1, ... of a stream of N(0,1), |x| <= 6.34; never 0. Made with IEEE
/// + - * / and integer operations only, in one fixed order, so they are the same bits everywhere.
void fill_normal(std::uint64_t key, std::uint64_t first, std::span<double> values);

/// The same stream as numbers of U(0,1): (word + 1/2) / 2^32, never 0 and never 1.
void fill_uniform(std::uint64_t key, std::uint64_t first, std::span<double> values);

}  // namespace fathom
