// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"

#include <vector>

namespace fathom {

/// The error of one row of a tensor, in units of what an honest kernel gives.
struct RowError {
  Index sequence = 0;
  Index head = 0;
  Index row = 0;
  Index first = 0;         ///< Element of channel 0.
  double energy = 0;       ///< Sum of z^2 over the channels.
  double lse = 0;          ///< Rows of O: error of the LSE as a share of T_L.
  bool live = true;        ///< Some visible pair contributes.
  bool bad = false;        ///< Beyond the limit of one row.
  bool zero = false;       ///< All zeros where the oracle is not.
  bool nonfinite = false;  ///< Not finite where the oracle is.
};

/// What is wrong with one tensor, row by row; rows in the order (sequence, head, row).
struct TensorErrors {
  const Comparison* comparison = nullptr;
  TensorName name = TensorName::o;
  Index channels = 1;
  double row_limit = 2;  ///< Of the rms of z in one row.
  std::vector<double> sigma;
  std::vector<RowError> rows;
  std::vector<double> by_channel;  ///< Mean z^2 of the live rows.
  [[nodiscard]] double got(Index element) const {
    return comparison->got[static_cast<std::size_t>(element)];
  }
  [[nodiscard]] double want(Index element) const {
    return comparison->oracle->value[static_cast<std::size_t>(element)];
  }
  [[nodiscard]] double sigma_at(Index element) const {
    return sigma[static_cast<std::size_t>(element)];
  }
};

/// Errors of a tensor that was given. For LSE, sigma is T_L.
TensorErrors errors_of(const Evidence& evidence, const Comparison& comparison);

/// `energy` of a row against any other prediction of it. Where the prediction is larger than the
/// oracle's value, so is the rounding that it may have; `other_sigma` is used where it is wider.
double energy_against(const TensorErrors& errors, const RowError& row,
                      const std::vector<double>& prediction,
                      const std::vector<double>& other_sigma = {});

/// Mean z^2 over the given rows.
double mean_energy(const TensorErrors& errors, const std::vector<const RowError*>& rows);

}  // namespace fathom
