// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/score.h"

#include "harness/core/types.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

/// The pointers that one row is read through; null where the oracle gives nothing.
struct Columns {
  const double* got;
  const double* want;
  const double* sigma;
  const double* mean;
  const double* bound;
};

const double* data_or_null(const std::vector<double>& values) {
  return values.empty() ? nullptr : values.data();
}

class Scorer {
 public:
  Scorer(const Problem& problem, TensorName name, const Columns& columns)
      : dtype_(problem.dtype), name_(name), columns_(columns) {}

  void sequence(const Problem& problem, Index sequence, const Reach& reach) {
    ScoreSums sums;
    const std::vector<Index>& terms = terms_of_rows(reach, name_);
    const bool averages = contraction_length(reach, name_) >= averaging_length;
    for (Index head = 0; head < head_count(problem, name_); ++head) {
      const HeadView view = head_view(problem, name_, sequence, head);
      head_channels_.assign(columns_.sigma == nullptr ? 0 : static_cast<std::size_t>(view.channels),
                            {});
      for (Index row = 0; row < view.rows; ++row) {
        const Index first = view.offset + row * view.row_stride;
        const bool live = terms[static_cast<std::size_t>(row)] != 0;
        if (live && columns_.sigma != nullptr) {
          score_.rows.push_back(modelled_row(first, view.channels, sums));
        } else {
          norms(first, view.channels);
          score_.rows.push_back(live ? 0 : -1);
        }
      }
      append(score_.channels);
      if (averages) append(score_.averaging_channels);
    }
    score_.all += sums;
    if (averages) score_.averaging += sums;
  }

  Score take() { return std::move(score_); }

 private:
  struct Norms {
    double ee = 0;
    double ww = 0;
  };

  /// For rows without a model of their errors.
  void norms(Index first, Index channels) {
    Norms norms;
    for (Index i = first; i < first + channels; ++i) {
      const double e = columns_.got[i] - columns_.want[i];
      norms.ee += e * e;
      norms.ww += columns_.want[i] * columns_.want[i];
    }
    add(norms, first, channels);
  }

  void add(const Norms& norms, Index first, Index channels) {
    score_.ee += norms.ee < infinity ? norms.ee : careful_norm(first, channels);
    score_.ww += norms.ww;
  }

  /// Also counts what is wrongly non-finite.
  double careful_norm(Index first, Index channels) {
    double ee = 0;
    for (Index i = first; i < first + channels; ++i) {
      const double e = error_of(dtype_, columns_.got[i], columns_.want[i]);
      ee += e * e;
      if (e < infinity || std::isfinite(columns_.got[i])) continue;
      if (score_.nonfinite++ == 0) score_.first_nonfinite = i;
    }
    return ee;
  }

  void append(std::vector<ChannelSums>& channels) const {
    channels.insert(channels.end(), head_channels_.begin(), head_channels_.end());
  }

  /// Adds one row to the sums and the peaks; returns its row-rho.
  double modelled_row(Index first, Index channels, ScoreSums& sums) {
    ScoreSums row{.rows = 1, .elements = channels};
    Norms norms;
    double largest = -1;
    Index at = first;
    for (Index i = first; i < first + channels; ++i) {
      const double want = columns_.want[i];
      const double e = columns_.got[i] - want;
      norms.ee += e * e;
      norms.ww += want * want;
      const double inverse = 1 / columns_.sigma[i];
      double z = (columns_.mean == nullptr ? e : e - columns_.mean[i]) * inverse;
      if (std::abs(z) < infinity) {
        ChannelSums& channel = head_channels_[static_cast<std::size_t>(i - first)];
        channel.zz += z * z;
        add_finite(e * inverse, want * inverse, row, channel);
      } else {
        z = error_of(dtype_, columns_.got[i], want) == 0 ? 0 : infinity;
      }
      row.zz += z * z;
      if (std::abs(z) <= largest) continue;
      largest = std::abs(z);
      at = i;
    }
    add(norms, first, channels);
    raise(score_.z_max, largest, at);
    raise(score_.row_rho, rms_z(row), at);
    if (columns_.bound != nullptr) hard_bound(first, channels);
    sums += row;
    return rms_z(row);
  }

  /// e and want in units of sigma.
  static void add_finite(double e, double want, ScoreSums& row, ChannelSums& channel) {
    const double lean = want == 0 ? 0 : std::copysign(e, e * want);
    row.b += lean;
    row.bb += e * e;
    row.er += e * want;
    row.rr += want * want;
    channel.rows += 1;
    channel.b += lean;
    channel.er += e * want;
    channel.rr += want * want;
  }

  void hard_bound(Index first, Index channels) {
    for (Index i = first; i < first + channels; ++i) {
      const double e = std::abs(columns_.got[i] - columns_.want[i]);
      if (e <= columns_.bound[i] * score_.hard_share.value) continue;
      const double careful = std::abs(error_of(dtype_, columns_.got[i], columns_.want[i]));
      if (careful == 0) continue;
      raise(score_.hard_share, careful / columns_.bound[i], i);
    }
  }

  /// NaN (a broken oracle) counts as the largest value there is.
  static void raise(Peak& peak, double value, Index element) {
    if (std::isnan(value)) value = infinity;
    if (value > peak.value || peak.element < 0) peak = {value, element};
  }

  Dtype dtype_;
  TensorName name_;
  Columns columns_;
  std::vector<ChannelSums> head_channels_;  ///< Of the head at hand.
  Score score_;
};

/// The scatter of the channels' rests over the variance that independent errors give; at least 1.
template <typename Rest>
double coherence(std::span<const ChannelSums> channels, double independent, Rest rest) {
  const auto count = static_cast<double>(channels.size());
  if (count < 2 || !(independent > 0)) return 1;
  double scatter = 0;
  for (const ChannelSums& channel : channels) {
    const double off = rest(channel);
    scatter += off * off;
  }
  return std::max(1.0, scatter * count / (count - 1) / independent);
}

}  // namespace

ScoreSums& ScoreSums::operator+=(const ScoreSums& other) {
  rows += other.rows;
  elements += other.elements;
  zz += other.zz;
  b += other.b;
  bb += other.bb;
  er += other.er;
  rr += other.rr;
  return *this;
}

double rms_z(const ScoreSums& sums) {
  return sums.elements == 0 ? 0 : std::sqrt(sums.zz / static_cast<double>(sums.elements));
}

double bias_z(const ScoreSums& sums) {
  if (sums.elements == 0 || sums.b == 0) return 0;
  const auto n = static_cast<double>(sums.elements);
  const double mean = sums.b / n;
  const double variance = std::max(0.0, sums.bb / n - mean * mean);
  return std::abs(mean) * std::sqrt(n) / std::sqrt(variance);
}

double gain(const ScoreSums& sums) {
  return sums.rr == 0 ? 0 : sums.er / sums.rr;
}

double bias_coherence(const ScoreSums& sums, std::span<const ChannelSums> channels) {
  const double mean = sums.b / static_cast<double>(sums.elements);
  return coherence(channels, sums.bb - mean * sums.b,
                   [&](const ChannelSums& c) { return c.b - mean * c.rows; });
}

double rho_coherence(const ScoreSums& sums, std::span<const ChannelSums> channels) {
  const auto elements = static_cast<double>(sums.elements);
  return coherence(channels, elements,
                   [&](const ChannelSums& c) { return c.zz - sums.zz / elements * c.rows; });
}

double gain_coherence(const ScoreSums& sums, std::span<const ChannelSums> channels) {
  const double factor = gain(sums);
  return coherence(channels, sums.rr, [&](const ChannelSums& c) { return c.er - factor * c.rr; });
}

double rel_f(const Score& score, double least_norm) {
  return score.ee == 0 ? 0 : std::sqrt(score.ee) / std::max(std::sqrt(score.ww), least_norm);
}

double error_of(Dtype dtype, double got, double want) {
  if (std::isfinite(got) && std::isfinite(want)) return got - want;
  if (std::isnan(got) && std::isnan(want)) return 0;
  // An honest kernel overflows where the rounded truth does.
  return got == round_to(dtype, want) ? 0 : infinity;
}

Score score_tensor(const Problem& problem, TensorName name, std::span<const double> got,
                   const OracleTensor& oracle, std::span<const Reach> reach) {
  Scorer scorer(problem, name,
                {got.data(), oracle.value.data(), data_or_null(oracle.sigma),
                 data_or_null(oracle.mean), data_or_null(oracle.bound)});
  for (std::size_t s = 0; s < problem.sequences.size(); ++s) {
    scorer.sequence(problem, static_cast<Index>(s), reach[s]);
  }
  return scorer.take();
}

}  // namespace fathom
