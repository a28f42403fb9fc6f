// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/tests/synthetic.h"

#include "harness/core/types.h"

#include <cmath>
#include <memory>
#include <random>

namespace fathom {
namespace {

using Generator = std::mt19937_64;

std::vector<bool> live_elements(const Problem& problem, const TensorSpec& spec) {
  std::vector<bool> live(static_cast<std::size_t>(element_count(spec)));
  const std::vector<Reach> reach = reach_of(problem);
  for (std::size_t i = 0; i < live.size(); ++i) {
    const ElementPlace place = place_of(problem, spec.name, static_cast<Index>(i));
    live[i] = terms_of_rows(reach[static_cast<std::size_t>(place.sequence)],
                            spec.name)[static_cast<std::size_t>(place.row)] != 0;
  }
  return live;
}

double sigma_of(Dtype dtype, double value) {
  if (is_16_bit(dtype)) return ulp(dtype, value) / std::sqrt(12);
  return 2e-6 * std::abs(value) + 1e-9;
}

OracleTensor draw_tensor(const Problem& problem, const TensorSpec& spec, Generator& generator,
                         std::vector<double>& got) {
  std::normal_distribution<double> normal;
  const bool lse = spec.name == TensorName::lse;
  OracleTensor tensor;
  for (const bool live : live_elements(problem, spec)) {
    const double value = live ? (lse ? 5 : 0) + normal(generator) : (lse ? -infinity : 0);
    tensor.value.push_back(value);
    got.push_back(value);
    if (problem.dtype == Dtype::f64) continue;
    const double sigma = live ? sigma_of(spec.dtype, value) : 0;
    if (!lse) tensor.sigma.push_back(sigma);
    if (lse || is_16_bit(spec.dtype)) tensor.bound.push_back(lse ? 2e-6 : 1e3 * sigma);
    if (!lse && !is_16_bit(spec.dtype)) got.back() += sigma * normal(generator);
  }
  if (spec.name != TensorName::o && !lse) tensor.bound.clear();
  return tensor;
}

}  // namespace

Synthetic::Synthetic(Case asked)
    : arithmetic(flash_arithmetic(asked.problem.dtype)), c(std::move(asked)) {
  Generator generator(c.seed);
  for (const TensorSpec& spec : output_specs(c.problem)) {
    oracle[spec.name] = draw_tensor(c.problem, spec, generator, got[spec.name]);
  }
}

Synthetic& Synthetic::plant(TensorName name, const Edit& edit) {
  edit(got.at(name), oracle.at(name));
  return *this;
}

Observation Synthetic::observation() const {
  Observation observation;
  observation.c = c;
  observation.arithmetic = arithmetic;
  observation.oracle = std::make_shared<OracleAnswer>(oracle);
  for (const TensorSpec& spec : output_specs(c.problem)) {
    ObservedTensor& output = observation.outputs[spec.name];
    output.transport = transport;
    output.tensor.spec = spec;
    output.tensor.bytes.resize(static_cast<std::size_t>(byte_count(spec)));
    encode(spec.dtype, got.at(spec.name), output.tensor.bytes);
  }
  return observation;
}

Case big_case(Dtype dtype, Fill fill) {
  Case c;
  c.problem = {.direction = Direction::fwd_bwd,
               .dtype = dtype,
               .layout = Layout::bhsd,
               .query_heads = 8,
               .kv_heads = 8,
               .head_dim = 64,
               .value_dim = 64,
               .sequences = {{128, 128, 0}},
               .mask = {},
               .softmax_scale = {},
               .lse = LseRequest::required};
  c.fill = fill;
  return c;
}

Case small_case(std::string_view mask, Index queries, Index keys) {
  Case c = big_case(Dtype::bf16, Fill::normal);
  c.problem.query_heads = c.problem.kv_heads = 1;
  c.problem.head_dim = c.problem.value_dim = 8;
  c.problem.sequences = {{queries, keys, 0}};
  c.problem.mask = parse_mask(mask);
  return c;
}

std::set<std::string> names(const std::vector<Finding>& findings) {
  std::set<std::string> names;
  for (const Finding& finding : findings) names.insert(finding.tensor + ":" + finding.check);
  return names;
}

std::set<std::string> run_check(std::string_view check, const Observation& observation) {
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  std::set<std::string> found;
  for (const Check& candidate : all_checks()) {
    if (candidate.name == check) found = names(candidate.run(weigh(observation, reach)));
  }
  return found;
}

std::set<std::string> run_all(const Observation& observation) {
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  const Evidence evidence = weigh(observation, reach);
  std::set<std::string> found;
  for (const Check& check : all_checks()) found.merge(names(check.run(evidence)));
  return found;
}

}  // namespace fathom
