// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/metrics.h"

#include "harness/checks/accuracy.h"
#include "harness/checks/check.h"
#include "harness/checks/lse.h"
#include "harness/core/types.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fathom {
namespace {

constexpr std::size_t worst_count = 16;
constexpr std::size_t max_tiles = 256;
enum UlpBucket : std::size_t { above = 17, sign_differs = 18, non_finite = 19 };

/// 1 / ulp of the dtype at x, by exponent bits: this runs for every element. Steps below 2^-1022
/// (fp64 near 0) are taken as 2^-1022.
double inverse_ulp(const DtypeInfo& dtype, double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023;
  const int power = dtype.precision - 1 - std::max(exponent, dtype.min_exponent);
  return std::bit_cast<double>(static_cast<std::uint64_t>(std::min(power, 1022) + 1023) << 52);
}

std::size_t bucket_of(const DtypeInfo& dtype, double got, double want) {
  const double e = got - want;
  if (!(std::abs(e) < infinity)) {
    return error_of(dtype.dtype, got, want) == 0 ? 0 : std::size_t{non_finite};
  }
  if (got * want < 0) return sign_differs;
  const double distance = std::abs(e) * inverse_ulp(dtype, want);
  if (distance <= 0.5) return 0;
  const double steps = std::ceil(distance - 0.5);
  if (steps < 3) return static_cast<std::size_t>(steps);
  if (steps > 0x1p15) return above;
  return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(steps) - 1)) + 1;
}

/// Largest |z| first, with a threshold that spares most elements the work.
class Worst {
 public:
  void offer(double z, Index element) {
    if (!(z > threshold_)) return;
    heap_.push_back({z, element});
    std::push_heap(heap_.begin(), heap_.end(), by_z);
    if (heap_.size() <= worst_count) return;
    std::pop_heap(heap_.begin(), heap_.end(), by_z);
    heap_.pop_back();
    threshold_ = heap_.front().value;
  }
  std::vector<Element> elements(const Evidence& evidence, const Comparison& comparison) {
    std::sort_heap(heap_.begin(), heap_.end(), by_z);
    std::vector<Element> elements;
    for (const Peak& peak : heap_) {
      elements.push_back(element_at(evidence, comparison, peak.element));
    }
    return elements;
  }

 private:
  static bool by_z(const Peak& a, const Peak& b) {
    return a.value > b.value || (a.value == b.value && a.element < b.element);
  }
  std::vector<Peak> heap_;
  double threshold_ = 0;
};

/// Sums over the elements that are finite on both sides; a wrong non-finite one makes `ee`
/// infinite.
struct Sums {
  double ee = 0, ww = 0, gg = 0, gw = 0;
};

void count(TensorMetrics& metrics, double got, double want) {
  metrics.nan.got += std::isnan(got);
  metrics.nan.want += std::isnan(want);
  metrics.inf.got += std::isinf(got);
  metrics.inf.want += std::isinf(want);
  metrics.zeros.got += got == 0;
  metrics.zeros.want += want == 0;
}

double rms_of_finite(const std::vector<double>& values) {
  double sum = 0;
  for (const double x : values) sum += std::isfinite(x) ? x * x : 0;
  return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

/// The oracle's values with the declared convention for the LSE of rows that see no key.
std::vector<double> conventional_lse(const Evidence& evidence, const Comparison& lse) {
  std::vector<double> want = lse.oracle->value;
  const double empty = empty_row_lse(evidence.observation.arithmetic);
  for_each_row(evidence, TensorName::lse, [&](Index index, Index, Index terms) {
    if (terms == 0) want[static_cast<std::size_t>(index)] = empty;
  });
  return want;
}

/// Everything that is read off single elements, in one pass.
void element_metrics(const Evidence& evidence, const Comparison& comparison,
                     const std::vector<double>& want, TensorMetrics& metrics) {
  const DtypeInfo& dtype = info(comparison.spec.dtype);
  const OracleTensor& oracle = *comparison.oracle;
  const std::vector<double>& unit =
      comparison.spec.name == TensorName::lse ? oracle.bound : oracle.sigma;
  const double floor = 0x1p-6 * rms_of_finite(want);
  Worst worst;
  Sums sums;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double got = comparison.got[i];
    double e = got - want[i];
    if (std::abs(e) < infinity) {
      sums.gg += got * got;
      sums.ww += want[i] * want[i];
      sums.gw += got * want[i];
    } else {
      e = error_of(dtype.dtype, got, want[i]);
    }
    const double size = std::abs(e);
    sums.ee += e * e;
    metrics.max_abs = std::max(metrics.max_abs, size);
    const double scale = std::max(std::abs(want[i]), floor);
    if (size > metrics.max_rel * scale) metrics.max_rel = size / scale;
    ++metrics.ulp_hist[bucket_of(dtype, got, want[i])];
    count(metrics, got, want[i]);
    if (size == 0) continue;
    const double shift = oracle.mean.empty() ? 0 : oracle.mean[i];
    worst.offer(unit.empty() ? size : std::abs(e - shift) / unit[i], static_cast<Index>(i));
  }
  metrics.rel_f = share_of(std::sqrt(sums.ee), std::sqrt(sums.ww));
  metrics.nmse = share_of(sums.ee, sums.ww);
  const double norms = std::sqrt(sums.gg) * std::sqrt(sums.ww);
  if (norms > 0) metrics.cosine = sums.gw / norms;
  metrics.worst = worst.elements(evidence, comparison);
}

/// Backend's error over that of plain low-precision attention.
FaRatio fa_ratio(const Evidence& evidence, const Comparison& comparison,
                 const std::vector<double>& want) {
  FaRatio ratio;
  const auto& plain = evidence.observation.plain;
  if (!plain) return ratio;
  const auto found = plain->find(comparison.spec.name);
  if (found == plain->end() || found->second.size() != want.size()) return ratio;
  double max = 0, mean = 0, plain_max = 0, plain_mean = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double p = std::abs(found->second[i] - want[i]);
    if (!std::isfinite(p)) continue;  // Plain softmax is 0/0 where a row sees no key.
    const double e = std::abs(error_of(comparison.spec.dtype, comparison.got[i], want[i]));
    max = std::max(max, e);
    mean += e;
    plain_max = std::max(plain_max, p);
    plain_mean += p;
  }
  if (plain_max > 0) ratio = {max / plain_max, mean / plain_mean};
  return ratio;
}

/// Largest value of each of at most max_tiles equal groups of neighbours.
std::vector<double> shorten(std::vector<double> tiles) {
  const std::size_t group = (tiles.size() + max_tiles - 1) / max_tiles;
  if (group <= 1) return tiles;
  std::vector<double> shorter((tiles.size() + group - 1) / group);
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    shorter[t / group] = std::max(shorter[t / group], tiles[t]);
  }
  return shorter;
}

/// rms of z per tile of rows, the largest over heads, tiles of one sequence after another.
std::vector<double> tile_rho(const Evidence& evidence, const Comparison& comparison) {
  const Problem& problem = evidence.observation.c.problem;
  const TensorName name = comparison.spec.name;
  const Arithmetic& arithmetic = evidence.observation.arithmetic;
  const auto block = static_cast<std::size_t>(
      std::max(1, has_key_rows(name) ? arithmetic.block_n : arithmetic.block_m));
  std::vector<double> tiles;
  auto row = comparison.score.rows.begin();
  for (const Reach& reach : evidence.reach) {
    const std::size_t rows = terms_of_rows(reach, name).size();
    const std::size_t first = tiles.size();
    tiles.resize(first + (rows + block - 1) / block);
    for (Index head = 0; head < head_count(problem, name); ++head) {
      for (std::size_t tile = first; tile < tiles.size(); ++tile) {
        const auto end =
            row + static_cast<std::ptrdiff_t>(std::min(block, rows - (tile - first) * block));
        double sum = 0;
        Index live = 0;
        for (; row != end; ++row) {
          if (*row < 0) continue;
          sum += *row * *row;
          ++live;
        }
        if (live > 0) {
          tiles[tile] = std::max(tiles[tile], std::sqrt(sum / static_cast<double>(live)));
        }
      }
    }
  }
  return shorten(std::move(tiles));
}

double percentile_99(std::vector<double> rows) {
  rows.erase(std::remove_if(rows.begin(), rows.end(), [](double rho) { return rho < 0; }),
             rows.end());
  if (rows.empty()) return 0;
  const auto nth = rows.begin() + static_cast<std::ptrdiff_t>((rows.size() - 1) * 99 / 100);
  std::nth_element(rows.begin(), nth, rows.end());
  return *nth;
}

void score_metrics(const Evidence& evidence, const Comparison& comparison, TensorMetrics& metrics) {
  const Score& score = comparison.score;
  for (const Margin& margin : accuracy_margins(evidence, comparison)) {
    metrics.margin.emplace("accuracy." + std::string(margin.test),
                           share_of(margin.value, margin.limit));
    if (margin.test == "gain") metrics.gain_limit = margin.limit;
  }
  if (score.all.elements == 0) return;
  const ElementPlace place =
      place_of(evidence.observation.c.problem, comparison.spec.name, score.row_rho.element);
  metrics.row_rho = {score.row_rho.value, place, percentile_99(score.rows)};
  metrics.tensor_rho = rms_z(score.all);
  metrics.z_max = score.z_max.value;
  metrics.bias_z = bias_z(score.all);
  metrics.gain = gain(score.all);
  metrics.tile_rho = tile_rho(evidence, comparison);
}

}  // namespace

std::size_t ulp_bucket(Dtype dtype, double got, double want) {
  return bucket_of(info(dtype), got, want);
}

TensorMetrics metrics_of(const Evidence& evidence, const Comparison& comparison) {
  TensorMetrics metrics;
  metrics.tensor = std::string(to_string(comparison.spec.name));
  metrics.transport = std::string(to_string(comparison.transport));
  if (comparison.observed == nullptr) return metrics;
  metrics.elements = element_count(comparison.spec);
  const bool lse = comparison.spec.name == TensorName::lse;
  std::vector<double> conventional;
  if (lse) conventional = conventional_lse(evidence, comparison);
  const std::vector<double>& want = lse ? conventional : comparison.oracle->value;
  element_metrics(evidence, comparison, want, metrics);
  metrics.fa_ratio = fa_ratio(evidence, comparison, want);
  if (!lse) {
    score_metrics(evidence, comparison, metrics);
    return metrics;
  }
  const LseScore score = score_lse(evidence, comparison);
  metrics.lse = {score.max_u32, score.share.value};
  metrics.margin.emplace("lse", score.share.value);
  return metrics;
}

}  // namespace fathom
