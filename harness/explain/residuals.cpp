// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/residuals.h"

#include "harness/checks/limits.h"
#include "harness/core/types.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

double rms(const std::vector<double>& values) {
  double sum = 0;
  Index count = 0;
  for (const double value : values) {
    if (!std::isfinite(value) || value == 0) continue;
    sum += value * value;
    ++count;
  }
  return count == 0 ? 0 : std::sqrt(sum / static_cast<double>(count));
}

/// Never 0: rows that must be exact zeros get the tensor's usual sigma, so that an error in them
/// has a size too.
std::vector<double> sigma_of(const Comparison& comparison, bool modelled) {
  const OracleTensor& oracle = *comparison.oracle;
  const bool lse = comparison.spec.name == TensorName::lse;
  std::vector<double> sigma = lse ? oracle.bound : oracle.sigma;
  sigma.resize(oracle.value.size(), 0.0);
  const double usual = modelled ? rms(sigma) : 1e-13 * rms(oracle.value);
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    const double own = modelled ? sigma[i] : usual;
    sigma[i] = own > 0 ? own : std::max(usual, 1e-300);
  }
  return sigma;
}

double row_limit_of(const Evidence& evidence, const Comparison& comparison) {
  if (comparison.spec.name == TensorName::lse) return 1;
  const Limits limits = limits_for(evidence.observation.c, evidence.observation.arithmetic,
                                   comparison.spec.name, comparison.score);
  return limits.row_rho.value_or(10);
}

RowError weigh_row(const TensorErrors& errors, RowError row, Dtype dtype) {
  row.zero = true;
  double want = 0;
  for (Index c = 0; c < errors.channels; ++c) {
    const Index i = row.first + c;
    const double e = error_of(dtype, errors.got(i), errors.want(i));
    row.nonfinite |= !std::isfinite(e);
    row.zero &= errors.got(i) == 0;
    want += std::abs(errors.want(i));
    const double z = e / errors.sigma_at(i);
    row.energy += z * z;
  }
  row.zero &= want != 0;
  if (row.nonfinite) row.energy = infinity;
  row.bad =
      !(row.energy <= errors.row_limit * errors.row_limit * static_cast<double>(errors.channels));
  return row;
}

void add_channels(TensorErrors& errors) {
  errors.by_channel.assign(static_cast<std::size_t>(errors.channels), 0.0);
  Index rows = 0;
  for (const RowError& row : errors.rows) {
    if (!row.live || row.nonfinite) continue;
    ++rows;
    for (Index c = 0; c < errors.channels; ++c) {
      const Index i = row.first + c;
      const double z = (errors.got(i) - errors.want(i)) / errors.sigma_at(i);
      errors.by_channel[static_cast<std::size_t>(c)] += z * z;
    }
  }
  for (double& value : errors.by_channel) value /= std::max<double>(1, static_cast<double>(rows));
}

}  // namespace

TensorErrors errors_of(const Evidence& evidence, const Comparison& comparison) {
  const Observation& observation = evidence.observation;
  const Problem& problem = observation.c.problem;
  const TensorName name = comparison.spec.name;
  TensorErrors errors;
  errors.comparison = &comparison;
  errors.name = name;
  errors.channels = head_view(problem, name, 0, 0).channels;
  errors.row_limit = row_limit_of(evidence, comparison);
  errors.sigma = sigma_of(comparison, problem.dtype != Dtype::f64);
  for (Index s = 0; s < static_cast<Index>(problem.sequences.size()); ++s) {
    const auto& terms = terms_of_rows(evidence.reach[static_cast<std::size_t>(s)], name);
    for (Index head = 0; head < head_count(problem, name); ++head) {
      const HeadView view = head_view(problem, name, s, head);
      for (Index row = 0; row < view.rows; ++row) {
        RowError error{
            .sequence = s, .head = head, .row = row, .first = view.offset + row * view.row_stride};
        error.live = terms[static_cast<std::size_t>(row)] != 0;
        // What stands in the LSE of a row without keys is a convention, and a Finding of its own.
        const bool weighed = error.live || name != TensorName::lse;
        errors.rows.push_back(weighed ? weigh_row(errors, error, comparison.spec.dtype) : error);
      }
    }
  }
  add_channels(errors);
  return errors;
}

double energy_against(const TensorErrors& errors, const RowError& row,
                      const std::vector<double>& prediction,
                      const std::vector<double>& other_sigma) {
  const Dtype dtype = errors.comparison->spec.dtype;
  double energy = 0;
  for (Index c = 0; c < errors.channels; ++c) {
    const Index i = row.first + c;
    const double value = prediction[static_cast<std::size_t>(c)];
    const double steps = is_16_bit(dtype) ? 0.3 : dtype == Dtype::f32 ? 2 : 0;
    const double other = other_sigma.empty() ? 0 : other_sigma[static_cast<std::size_t>(c)];
    const double rounding = std::isfinite(value) ? steps * ulp(dtype, value) : 0;
    const double z = (errors.got(i) - value) / std::max({errors.sigma_at(i), other, rounding});
    energy += z * z;
  }
  if (std::isnan(energy)) return infinity;
  return energy;
}

double mean_energy(const TensorErrors& errors, const std::vector<const RowError*>& rows) {
  if (rows.empty()) return 0;
  double sum = 0;
  for (const RowError* row : rows) sum += row->energy;
  return sum / static_cast<double>(static_cast<Index>(rows.size()) * errors.channels);
}

}  // namespace fathom
