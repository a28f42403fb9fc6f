// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/reach.h"
#include "harness/core/oracle.h"
#include "harness/core/tensor.h"

#include <span>
#include <vector>

namespace fathom {

/// Rows of sequences whose contraction is shorter than this do not enter the tests that rest on
/// averaging: few coherent roundings look like a bias or a common factor.
inline constexpr Index averaging_length = 64;

/// Sums behind the tensor-wide statistics; additive over sequences. e = got - want, r = want.
struct ScoreSums {
  Index rows = 0;
  Index elements = 0;
  double zz = 0;  ///< sum z^2, z = (e - mean) / sigma
  double b = 0;   ///< sum b, b = e sign(r) / sigma
  double bb = 0;  ///< sum b^2
  double er = 0;  ///< sum e r / sigma^2
  double rr = 0;  ///< sum r^2 / sigma^2
  ScoreSums& operator+=(const ScoreSums& other);
};

/// rms of z; 0 of nothing.
double rms_z(const ScoreSums& sums);
/// |mean(b)| sqrt(n) / sd(b): how sure it is that errors lean one way. Infinite if all b are equal
/// and not 0.
double bias_z(const ScoreSums& sums);
/// g of got = (1 + g) want, the least-squares estimate weighted by 1 / sigma^2.
double gain(const ScoreSums& sums);

/// The sums of one channel of one (sequence, head), over its rows.
struct ChannelSums {
  double rows = 0;
  double zz = 0;
  double b = 0;
  double er = 0;
  double rr = 0;
};

/// How much more the sums of channels scatter than independent errors would let them: where
/// attention is nearly uniform, all rows hold nearly the same number in a channel and round alike.
/// 1 where errors are independent, about the number of rows where a channel has one error.
double bias_coherence(const ScoreSums& sums, std::span<const ChannelSums> channels);
double rho_coherence(const ScoreSums& sums, std::span<const ChannelSums> channels);
double gain_coherence(const ScoreSums& sums, std::span<const ChannelSums> channels);

/// A largest value and the element it was seen at (-1: none).
struct Peak {
  double value = 0;
  Index element = -1;
};

/// What the Checks need to know of one tensor, from one pass over it. The z statistics cover the
/// rows to which some visible pair contributes; the others must be exactly 0, which is another
/// Check's business. An element that is non-finite where it should not be has z = infinity.
struct Score {
  ScoreSums all;                      ///< Empty where the oracle gives no sigma.
  ScoreSums averaging;                ///< Of the sequences with contraction >= averaging_length.
  std::vector<ChannelSums> channels;  ///< Of all sequences.
  std::vector<ChannelSums> averaging_channels;  ///< Of those in `averaging`.
  Peak z_max;
  Peak row_rho;         ///< Row-wise rms of z; `element` has the largest |z| of that row.
  Peak hard_share;      ///< |e| / bound.
  double ee = 0;        ///< sum e^2 over every element.
  double ww = 0;        ///< sum want^2.
  Index nonfinite = 0;  ///< Elements non-finite where the oracle's are not.
  Index first_nonfinite = -1;
  std::vector<double> rows;  ///< Row-rho by (sequence, head, row); -1 where no pair contributes.
};

/// ||e|| / max(||want||, least_norm); 0 if both are 0.
double rel_f(const Score& score, double least_norm = 0);

/// got - want, where an overflow that rounding `want` to the dtype would yield too counts as 0, and
/// any other disagreement about what is finite as infinity.
double error_of(Dtype dtype, double got, double want);

/// Scores `got` (indexed like the tensor) against the oracle. `reach` holds one entry per sequence.
Score score_tensor(const Problem& problem, TensorName name, std::span<const double> got,
                   const OracleTensor& oracle, std::span<const Reach> reach);

}  // namespace fathom
