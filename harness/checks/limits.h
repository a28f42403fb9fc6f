// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/score.h"
#include "harness/core/arithmetic.h"
#include "harness/core/case.h"

#include <optional>
#include <span>

namespace fathom {

/// Which Fills a row of the table speaks of.
enum class Family : std::uint8_t { generic, adversarial, both };

/// One row of the limits, all in units of the oracle's sigma; the gain is a plain ratio. Empty: not
/// tested. They are the same for every backend, and measured on clean kernels: see README.md.
struct LimitRow {
  TensorName tensor = TensorName::o;
  Dtype dtype = Dtype::f32;
  Family family = Family::generic;
  std::optional<double> row_rho;
  std::optional<double> z_max;
  std::optional<double> tensor_rho;
  std::optional<double> bias_z;
  std::optional<double> gain;
};
std::span<const LimitRow> limit_rows();

/// fp64 Problems check oracles and plain references: no error model, one small number.
inline constexpr double fp64_limit = 1e-12;

/// The limits that one tensor of one Case is really held to. `hard_bound` and `rel_f` are shares:
/// 1, and fp64_limit.
struct Limits {
  std::optional<double> hard_bound;
  std::optional<double> row_rho;
  std::optional<double> z_max;
  std::optional<double> tensor_rho;
  std::optional<double> bias_z;
  std::optional<double> gain;
  std::optional<double> rel_f;
};

/// The table's row, narrowed by the scope of each test: Fill, number of rows, contraction length,
/// truncating arithmetic; and widened where a row has few channels.
Limits limits_for(const Case& c, const Arithmetic& arithmetic, TensorName tensor,
                  const Score& score);

/// A row-rho is the rms of a few numbers and scatters the more the fewer they are: 1.15 times the
/// value that one clean row in 1e7 / rows exceeds. It rules below 8 channels.
double narrow_row_rho(Index rows, Index channels);

}  // namespace fathom
