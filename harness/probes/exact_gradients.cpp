// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/exact_gradients.h"

#include "harness/probes/exact_limits.h"
#include "harness/probes/running_sums.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace fathom::probing {
namespace {

Index split_of(const Problem& problem) {
  return (problem.head_dim + 1) / 2;
}

double sigma_of(const RowAt& key) {
  const RowAt pair{key.sequence, key.head, key.row / 2, 0};
  return sign_of(7, TensorName::v, pair, 0) * (key.row % 2 == 0 ? 1 : -1);
}
double tau_of(Index sequence, Index kv_head, Index channel) {
  return sign_of(8, TensorName::v, {sequence, kv_head, 0, 0}, channel);
}

void write_split(const Problem& problem, TensorSet& inputs) {
  const auto split = static_cast<std::ptrdiff_t>(split_of(problem));
  rewrite(problem, inputs, TensorName::q,
          [&](const RowAt&, std::span<double> q) { std::fill(q.begin(), q.begin() + split, 0.0); });
  rewrite(problem, inputs, TensorName::k,
          [&](const RowAt&, std::span<double> k) { std::fill(k.begin() + split, k.end(), 0.0); });
  rewrite(problem, inputs, TensorName::dout, [](const RowAt&, std::span<double> dout) {
    for (double& x : dout) x = std::clamp(std::round(x * 128), -255.0, 255.0) / 128;
  });
}

/// All that one query's dS is made of: dS_j = (sigma_j A - D + dLSE) / n.
struct RowTerms {
  KeyRange keys;
  double weight = 0;    ///< 1 / n
  double dout_abs = 0;  ///< sum |dO|
  double plus = 0;      ///< dS of the keys with sigma = 1, exactly.
  double minus = 0;
  double common = 0;  ///< What both may be off by together: the error of D.
  double share = 0;   ///< The relative error of an unrounded weight.
};

class Terms {
 public:
  Terms(const Observation& observation, const TensorSet& inputs)
      : problem_(observation.c.problem),
        arithmetic_(observation.arithmetic),
        signs_(problem_, TensorName::v, inputs.at(TensorName::v)),
        dout_(problem_, TensorName::dout, inputs.at(TensorName::dout)) {
    if (problem_.lse_cotangent) {
      dlse_.emplace_back(problem_, TensorName::dlse, inputs.at(TensorName::dlse));
    }
  }

  [[nodiscard]] RowTerms of(const RowAt& query) const {
    RowTerms terms;
    terms.keys = keys_seen(problem_, query);
    if (terms.keys.size() == 0) return terms;
    const Index kv = kv_head_of(problem_, query.head);
    const auto dout = dout_.row(query.sequence, query.head, query.row);
    double a = 0;
    for (std::size_t c = 0; c < dout.size(); ++c) {
      a += dout[c] * tau_of(query.sequence, kv, static_cast<Index>(c));
      terms.dout_abs += std::abs(dout[c]);
    }
    const double mean =
        signs_.mean(query.sequence, kv, terms.keys, 0).value * tau_of(query.sequence, kv, 0);
    const double g = dlse_.empty() ? 0 : dlse_[0].row(query.sequence, query.head, query.row)[0];
    terms.weight = 1 / static_cast<double>(terms.keys.size());
    terms.plus = terms.weight * (a * (1 - mean) + g);
    terms.minus = terms.weight * (-a * (1 + mean) + g);
    terms.share = weight_limit(problem_.dtype, arithmetic_, terms.keys.size());
    // D is made of the rounded O, or of the unrounded one; g enters one fp32 subtraction.
    const double o = std::abs(mean) < 1 ? relative_rounding(problem_.dtype, arithmetic_.out_round) +
                                              terms.share + 0x1p-22
                                        : terms.share;
    terms.common = problem_.dtype == Dtype::f64
                       ? 0
                       : terms.weight * (terms.dout_abs * std::abs(mean) * o +
                                         0x1p-24 * (std::abs(a) + std::abs(g)));
    return terms;
  }

 private:
  const Problem& problem_;
  const Arithmetic& arithmetic_;
  RunningSums signs_;
  Numbers dout_;
  std::vector<Numbers> dlse_;
};

/// How dS reaches its products: rounded as it is, rounded after the softmax scale, or not at all.
enum class Way : std::uint8_t { rounded, scaled_first, unrounded };
constexpr std::array ways{Way::rounded, Way::scaled_first, Way::unrounded};

double step_of(Way way, Dtype dtype, double scale, double x) {
  const double factor = way == Way::scaled_first ? std::abs(scale) : 1;
  return ulp(dtype, x * factor) / factor;
}

/// A number that a dS may be, and how far from it the dS of one key may be.
struct Rounded {
  double value = 0;
  double slack = 0;
};

/// The numbers that rounding anything within `slack` of x may yield. Just above a power of two the
/// finer grid below it counts. Where the grid is too fine to tell, x and what it may be off by.
std::vector<Rounded> candidates(Way way, Dtype dtype, double scale, double x, double slack) {
  if (way == Way::unrounded) return {{x, 0}};
  const double step = step_of(way, dtype, scale, std::max(0.0, std::abs(x) - slack));
  const double first = std::floor((x - slack) / step);
  const double last = std::ceil((x + slack) / step);
  if (last - first > 6) return {{x, slack + step_of(way, dtype, scale, std::abs(x) + slack)}};
  std::vector<Rounded> all;
  for (double k = first; k <= last; ++k) all.push_back({k * step, 0});
  return all;
}

/// The nearest number of the grid; if x may lie on either side of a tie, a whole step is open.
Rounded round_on(double step, double x, double slack, Rounding rounding) {
  const double k = std::round(x / step);
  const double to_tie = 0.5 - std::abs(x / step - k);
  const bool sure = rounding != Rounding::rtz && to_tie * step > slack;
  return {k * step, sure ? 0 : step};
}

/// Sums of K over the keys with sigma = 1, or -1.
struct SignedKeys {
  SignedKeys(const Problem& problem, const TensorSet& inputs)
      : plus(problem, TensorName::k, inputs.at(TensorName::k),
             [](const RowAt& at) { return sigma_of(at) > 0 ? 1.0 : 0.0; }),
        minus(problem, TensorName::k, inputs.at(TensorName::k),
              [](const RowAt& at) { return sigma_of(at) > 0 ? 0.0 : 1.0; }) {}
  RunningSums plus, minus;
};

class ExactDq {
 public:
  ExactDq(const Observation& observation, const TensorSet& inputs)
      : problem_(observation.c.problem),
        arithmetic_(observation.arithmetic),
        scale_(softmax_scale(problem_)),
        terms_(observation, inputs),
        keys_(problem_, inputs),
        got_(problem_, TensorName::dq, *given(observation, TensorName::dq)) {}

  void compare_row(const RowAt& query, Tally& tally) const {
    const RowTerms terms = terms_.of(query);
    Tally best;
    bool any = false;
    for (const Way way : ways) {
      if (way != Way::unrounded && !is_16_bit(arithmetic_.ds_dtype)) continue;
      const auto plus = some(way, terms.plus, terms);
      const auto minus = some(way, terms.minus, terms);
      for (const Rounded& a : plus) {
        for (const Rounded& b : minus) {
          if (any && best.clean()) break;
          const Tally tried = try_row(query, terms, way, a, b);
          if (!any || tried.share() < best.share()) best = tried;
          any = true;
        }
      }
    }
    tally.add(best);
  }

 private:
  [[nodiscard]] std::vector<Rounded> some(Way way, double x, const RowTerms& terms) const {
    return candidates(way, arithmetic_.ds_dtype, scale_, x,
                      terms.common + terms.share * std::abs(x));
  }

  /// A dS so near a tie that two keys of one row may round it differently (a vector's exponential
  /// is not the one of its tail): the step between the two.
  [[nodiscard]] double open_step(Way way, double x, const RowTerms& terms) const {
    if (way == Way::unrounded) return 0;
    const double step = step_of(way, arithmetic_.ds_dtype, scale_, x);
    return round_on(step, x, terms.common + terms.share * std::abs(x), arithmetic_.p_round).slack;
  }

  [[nodiscard]] Tally try_row(const RowAt& query, const RowTerms& terms, Way way,
                              const Rounded& plus_ds, const Rounded& minus_ds) const {
    Tally tally;
    const double a = plus_ds.value;
    const double b = minus_ds.value;
    const auto got = got_.row(query.sequence, query.head, query.row);
    const Index kv = kv_head_of(problem_, query.head);
    for (Index c = 0; c < problem_.head_dim; ++c) {
      const Sum plus = keys_.plus.sum(query.sequence, kv, terms.keys, c);
      const Sum minus = keys_.minus.sum(query.sequence, kv, terms.keys, c);
      const Sum sum{a * plus.value + b * minus.value,
                    std::abs(a) * plus.absolute + std::abs(b) * minus.absolute,
                    a * a * plus.square + b * b * minus.square, terms.keys.size()};
      double slack = problem_.dtype == Dtype::f64
                         ? fp64_share * 8 * sum.absolute
                         : summation_limit(arithmetic_.grad_acc, arithmetic_.block_n, sum);
      if (way == Way::unrounded) {
        slack += terms.common * std::abs(plus.value + minus.value) +
                 terms.share * (std::abs(a * plus.value) + std::abs(b * minus.value));
      }
      slack += (plus_ds.slack + open_step(way, terms.plus, terms)) * plus.absolute +
               (minus_ds.slack + open_step(way, terms.minus, terms)) * minus.absolute;
      slack *= std::abs(scale_);
      const double want = scale_ * sum.value;
      const double rounding = rounding_limit(problem_.dtype, arithmetic_.out_round, want, slack);
      tally.compare(query.first + c, got[static_cast<std::size_t>(c)], want, rounding + slack);
    }
    return tally;
  }

  const Problem& problem_;
  const Arithmetic& arithmetic_;
  double scale_;
  Terms terms_;
  SignedKeys keys_;
  Numbers got_;
};

/// For every key of one KV head the sum over the queries that see it of weight times row, from
/// running sums of what begins and ends at a key.
class SumsOverQueries {
 public:
  SumsOverQueries(Index keys, Index channels)
      : channels_(channels), changes_(static_cast<std::size_t>((keys + 1) * channels)) {}

  void add(const KeyRange& keys, std::span<const double> row, const Rounded& weight) {
    for (Index c = 0; c < channels_; ++c) {
      const double r = row[static_cast<std::size_t>(c)];
      const double x = weight.value * r;
      const Change change{x, std::abs(x), x * x, weight.slack * std::abs(r), 1};
      change_at(keys.begin, c).add(change, 1);
      change_at(keys.end, c).add(change, -1);
      largest_ = std::max(largest_, std::abs(x));
      ++added_;
    }
  }
  void finish() {
    const auto channels = static_cast<std::size_t>(channels_);
    for (std::size_t i = channels; i < changes_.size(); ++i) {
      changes_[i].add(changes_[i - channels], 1);
    }
  }

  [[nodiscard]] Sum sum(Index key, Index channel) {
    const Change& x = change_at(key, channel);
    return {x.value, std::max(0.0, x.absolute), std::max(0.0, x.square), std::lround(x.terms)};
  }
  /// What the weights together may be off by, and what is left of sums that have ended.
  [[nodiscard]] double slack(Index key, Index channel) {
    const Index ended = added_ / std::max<Index>(1, channels_);
    return std::max(0.0, change_at(key, channel).slack) +
           0x1p-52 * largest_ * static_cast<double>(ended);
  }

 private:
  struct Change {
    double value = 0, absolute = 0, square = 0, slack = 0, terms = 0;
    void add(const Change& other, double sign) {
      value += sign * other.value;
      absolute += sign * other.absolute;
      square += sign * other.square;
      slack += sign * other.slack;
      terms += sign * other.terms;
    }
  };
  Change& change_at(Index key, Index channel) {
    return changes_[static_cast<std::size_t>(key * channels_ + channel)];
  }

  Index channels_;
  Index added_ = 0;
  double largest_ = 0;
  std::vector<Change> changes_;
};

/// Compares a gradient with key rows, given the weight of each (query, sign of the key).
class KeyRows {
 public:
  using WeightOf = std::function<Rounded(const RowTerms&, bool plus)>;

  KeyRows(const Observation& observation, const TensorSet& inputs, TensorName name)
      : problem_(observation.c.problem),
        arithmetic_(observation.arithmetic),
        name_(name),
        factor_(name == TensorName::dv ? 1 : softmax_scale(problem_)),
        terms_(observation, inputs),
        rows_(problem_, rows_of(name), inputs.at(rows_of(name))),
        got_(problem_, name, *given(observation, name)) {}

  [[nodiscard]] Tally compare(const WeightOf& weight_of) const {
    Tally tally;
    for (Index s = 0; s < static_cast<Index>(problem_.sequences.size()); ++s) {
      for (Index kv = 0; kv < problem_.kv_heads; ++kv) compare_head(s, kv, weight_of, tally);
    }
    return tally;
  }

 private:
  static TensorName rows_of(TensorName name) {
    return name == TensorName::dv ? TensorName::dout : TensorName::q;
  }

  void compare_head(Index s, Index kv, const WeightOf& weight_of, Tally& tally) const {
    const HeadView view = head_view(problem_, name_, s, kv);
    SumsOverQueries plus(view.rows, view.channels);
    SumsOverQueries minus(view.rows, view.channels);
    const Index group = problem_.query_heads / problem_.kv_heads;
    const Index queries = problem_.sequences[static_cast<std::size_t>(s)].query_length;
    for (Index i = 0; i < queries * group; ++i) {
      const RowAt query{s, kv * group + i / queries, i % queries, 0};
      const RowTerms row = terms_.of(query);
      if (row.keys.size() == 0) continue;
      const auto numbers = rows_.row(s, query.head, query.row);
      plus.add(row.keys, numbers, weight_of(row, true));
      minus.add(row.keys, numbers, weight_of(row, false));
    }
    plus.finish();
    minus.finish();
    for (Index j = 0; j < view.rows; ++j) {
      SumsOverQueries& sums = sigma_of({s, kv, j, 0}) > 0 ? plus : minus;
      const Index first = view.offset + j * view.row_stride;
      for (Index c = 0; c < view.channels; ++c) {
        compare_element(first + c, sums.sum(j, c), sums.slack(j, c), tally);
      }
    }
  }

  void compare_element(Index element, const Sum& sum, double weights, Tally& tally) const {
    const double got = got_.values()[static_cast<std::size_t>(element)];
    if (sum.terms == 0) return tally.compare(element, got, 0, 0);
    const double adding = problem_.dtype == Dtype::f64
                              ? 8 * fp64_share * sum.absolute
                              : summation_limit(arithmetic_.grad_acc, arithmetic_.block_m, sum);
    const double slack = std::abs(factor_) * (adding + weights);
    const double want = factor_ * sum.value;
    tally.compare(element, got, want,
                  rounding_limit(problem_.dtype, arithmetic_.out_round, want, slack) + slack);
  }

  const Problem& problem_;
  const Arithmetic& arithmetic_;
  TensorName name_;
  double factor_;
  Terms terms_;
  Numbers rows_;
  Numbers got_;
};

/// The Tally of the way in which the kernel is nearest to the truth.
Tally best_of(const KeyRows& rows, Dtype dtype, const std::function<KeyRows::WeightOf(Way)>& of) {
  Tally best = rows.compare(of(Way::unrounded));
  for (const Way way : {Way::rounded, Way::scaled_first}) {
    if (best.clean() || !is_16_bit(dtype)) break;
    const Tally tally = rows.compare(of(way));
    if (tally.share() < best.share()) best = tally;
  }
  return best;
}

}  // namespace

void write_signs(const Problem& problem, TensorSet& inputs) {
  write_split(problem, inputs);
  rewrite(problem, inputs, TensorName::v, [](const RowAt& at, std::span<double> v) {
    for (std::size_t c = 0; c < v.size(); ++c) {
      v[c] = sigma_of(at) * tau_of(at.sequence, at.head, static_cast<Index>(c));
    }
  });
}

void write_ones(const Problem& problem, TensorSet& inputs) {
  write_split(problem, inputs);
  fill_with(problem, inputs, TensorName::v, 1);
  if (problem.lse_cotangent) fill_with(problem, inputs, TensorName::dlse, 0);
}

Tally compare_exact_dq(const Observation& observation, const TensorSet& inputs) {
  const ExactDq exact(observation, inputs);
  Tally tally;
  visit_rows(observation.c.problem, TensorName::dq, [&](const RowAt& query) {
    if (keys_seen(observation.c.problem, query).size() > 0) exact.compare_row(query, tally);
  });
  return tally;
}

Tally compare_exact_dk(const Observation& observation, const TensorSet& inputs) {
  const Arithmetic& arithmetic = observation.arithmetic;
  const double scale = softmax_scale(observation.c.problem);
  const KeyRows rows(observation, inputs, TensorName::dk);
  return best_of(rows, arithmetic.ds_dtype, [&](Way way) -> KeyRows::WeightOf {
    return [&, way](const RowTerms& row, bool plus) {
      const double x = plus ? row.plus : row.minus;
      const double slack = row.common + row.share * std::abs(x);
      if (way == Way::unrounded) return Rounded{x, slack};
      return round_on(step_of(way, arithmetic.ds_dtype, scale, x), x, slack, arithmetic.p_round);
    };
  });
}

Tally compare_exact_dv(const Observation& observation, const TensorSet& inputs) {
  const Arithmetic& arithmetic = observation.arithmetic;
  const KeyRows rows(observation, inputs, TensorName::dv);
  return best_of(rows, arithmetic.p_dtype, [&](Way way) -> KeyRows::WeightOf {
    return [&, way](const RowTerms& row, bool) {
      const double slack = row.share * row.weight;
      if (way == Way::unrounded) return Rounded{row.weight, slack};
      return round_on(ulp(arithmetic.p_dtype, row.weight), row.weight, slack, arithmetic.p_round);
    };
  });
}

namespace {

/// dP and D agree up to what fp32 makes of O = 1, per unit of sum |dO|; and an fp16 dS that is not
/// quite 0 has a smallest step.
Rounded vanishing(const Observation& observation, const RowTerms& row) {
  const Problem& problem = observation.c.problem;
  const Sum ones{1, 1, row.weight, row.keys.size()};
  const double o = product_limit(problem.dtype, observation.arithmetic, ones);
  const double off = row.weight * row.dout_abs * (o + (problem.dtype == Dtype::f64 ? 0 : 0x1p-22));
  return {0, off + (observation.arithmetic.ds_dtype == Dtype::f16 ? 0x1p-24 : 0)};
}

}  // namespace

Tally compare_vanishing_dq(const Observation& observation, const TensorSet& inputs) {
  const Problem& problem = observation.c.problem;
  const Terms terms(observation, inputs);
  const RunningSums keys(problem, TensorName::k, inputs.at(TensorName::k));
  const Numbers got(problem, TensorName::dq, *given(observation, TensorName::dq));
  const double scale = std::abs(softmax_scale(problem));
  Tally tally;
  visit_rows(problem, TensorName::dq, [&](const RowAt& query) {
    const RowTerms row = terms.of(query);
    if (row.keys.size() == 0) return;
    const double off = vanishing(observation, row).slack * scale;
    for (Index c = 0; c < problem.head_dim; ++c) {
      const Sum sum = keys.sum(query.sequence, kv_head_of(problem, query.head), row.keys, c);
      const double limit = off * sum.absolute;
      tally.compare(query.first + c, got.values()[static_cast<std::size_t>(query.first + c)], 0,
                    1.01 * limit + rounding_limit(problem.dtype, Rounding::rtz, 0, 0));
    }
  });
  return tally;
}

Tally compare_vanishing_dk(const Observation& observation, const TensorSet& inputs) {
  return KeyRows(observation, inputs, TensorName::dk).compare([&](const RowTerms& row, bool) {
    return vanishing(observation, row);
  });
}

}  // namespace fathom::probing
