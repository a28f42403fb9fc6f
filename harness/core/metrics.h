// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/finding.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// Row-wise rms of z: the largest, where it is, and the 99th percentile.
struct RowRho {
  double max = 0;
  ElementPlace index;
  double p99 = 0;
  bool operator==(const RowRho&) const = default;
};

struct LseMetrics {
  double max_u32 = 0;  ///< max |error| in units of 2^-24 max(1, |L|).
  double share = 0;    ///< max |error| / T_L.
  bool operator==(const LseMetrics&) const = default;
};

/// max and mean |error| of the backend over those of plain low-precision attention.
struct FaRatio {
  std::optional<double> max;
  std::optional<double> mean;
  bool operator==(const FaRatio&) const = default;
};

struct Counts {
  Index got = 0;
  Index want = 0;
  bool operator==(const Counts&) const = default;
};

/// What a rule of another project would have said. It explains Verdicts and makes none.
struct PeerVerdict {
  bool pass = false;
  double share = 0;  ///< Value as a share of its limit.
  bool operator==(const PeerVerdict&) const = default;
};

/// Every number recorded of one compared tensor, pass or fail. Null means "not defined here".
struct TensorMetrics {
  std::string tensor;
  Index elements = 0;
  std::string transport;  ///< in_place, copied, or not_given.
  double max_abs = 0;
  double max_rel = 0;  ///< max |e| / max(|want|, 2^-6 rms(want)).
  double rel_f = 0;    ///< Frobenius norm of e over that of want.
  double nmse = 0;
  std::optional<RowRho> row_rho;
  std::optional<double> tensor_rho;
  std::optional<double> z_max;
  std::optional<double> bias_z;
  std::optional<double> gain;
  std::optional<double> gain_limit;
  /// Distance in ulps: 0, 1, 2, 3-4, 5-8, ... doubling to 2^15, above, sign differs, non-finite.
  std::array<Index, 20> ulp_hist{};
  std::optional<double> cosine;
  Counts nan;
  Counts inf;
  Counts zeros;
  std::optional<LseMetrics> lse;
  FaRatio fa_ratio;
  /// rms of z per tile of block_m (rows of O, dQ) or block_n (rows of dK, dV) rows, largest over
  /// heads, one row of tiles per sequence, concatenated; at most 256 tiles.
  std::vector<double> tile_rho;
  std::map<std::string, double> margin;           ///< Check -> value as a share of its limit.
  std::vector<Element> worst;                     ///< Up to 16 elements, largest |z| first.
  bool zero_would_pass = false;                   ///< An all-zero tensor satisfies every Check.
  std::map<std::string, PeerVerdict> peer_rules;  ///< By rule; empty unless they were asked for.
  bool operator==(const TensorMetrics&) const = default;
};

}  // namespace fathom
