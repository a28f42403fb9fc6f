// SPDX-License-Identifier: Apache-2.0
#include "harness/peers/peers.h"

#include "harness/core/error.h"
#include "harness/peers/distance.h"
#include "harness/peers/rules.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

std::vector<double> decoded(const Tensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(element_count(tensor.spec)));
  decode(tensor.spec.dtype, tensor.bytes, values);
  return values;
}

Tensor magnitude_of(const Tensor& tensor) {
  std::vector<double> values = decoded(tensor);
  for (double& x : values) x = std::abs(x);
  Tensor positive = tensor;
  encode(tensor.spec.dtype, values, positive.bytes);
  return positive;
}

/// sum p |v| is what attention would answer if V were |V|.
std::shared_ptr<const std::vector<double>> ask_magnitude(Oracle& oracle, const Problem& problem,
                                                         const TensorSet& inputs) {
  Problem forward = problem;
  forward.direction = Direction::fwd;
  forward.lse_cotangent = false;
  TensorSet positive;
  for (const TensorName name : {TensorName::q, TensorName::k}) positive[name] = inputs.at(name);
  positive[TensorName::v] = magnitude_of(inputs.at(TensorName::v));
  const auto answer = oracle.answer(forward, flash_arithmetic(problem.dtype), positive);
  return {answer, &answer->at(TensorName::o).value};
}

/// LSE rows that see no key have no value that projects agree on.
void drop_empty_rows(PeerTensor& t) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < t.want.size(); ++i) {
    if (std::isinf(t.want[i])) continue;
    t.want[kept] = t.want[i];
    t.got[kept++] = t.got[i];
  }
  t.want.resize(kept);
  t.got.resize(kept);
}

std::vector<double> part_of(const std::shared_ptr<const PlainAnswer>& answer, TensorName name) {
  if (!answer) return {};
  const auto found = answer->find(name);
  return found == answer->end() ? std::vector<double>() : found->second;
}

PeerTensor tensor_of(const Observation& observation, const ObservedTensor& output,
                     const PlainAnswers& plain) {
  const TensorSpec& spec = output.tensor.spec;
  PeerTensor t{.problem = observation.c.problem, .name = spec.name, .dtype = spec.dtype};
  t.want = observation.oracle->at(spec.name).value;
  if (output.tensor.bytes.size() != static_cast<std::size_t>(byte_count(spec)) ||
      std::ssize(t.want) != element_count(spec)) {
    throw Error("output " + std::string(to_string(spec.name)) +
                " and the oracle's answer differ in size; peer rules cannot compare them");
  }
  t.got = decoded(output.tensor);
  if (spec.name == TensorName::lse) drop_empty_rows(t);
  for (const double x : t.want) t.rounded.push_back(round_to(spec.dtype, x));
  t.plain_scaled_k = part_of(plain.scaled_k, spec.name);
  t.plain_scaled_both = part_of(plain.scaled_both, spec.name);
  if (spec.name == TensorName::o && plain.magnitude) t.magnitude = *plain.magnitude;
  return t;
}

PeerOpinion opinion_of(const PeerRule& rule, const PeerTensor& tensor) {
  PeerOpinion opinion;
  opinion.rule = rule.name;
  opinion.tensor = tensor.name;
  if (!can_judge(rule, tensor)) return opinion;
  const PeerScore score = rule.judge(tensor);
  opinion.pass = passes(score);
  opinion.value = score.value;
  opinion.limit = score.limit;
  return opinion;
}

}  // namespace

PlainAnswers ask_plain(Oracle& oracle, const Problem& problem, const TensorSet& inputs) {
  if (problem.dtype == Dtype::f64) return {};
  return {.scaled_k = oracle.plain(problem, inputs, PlainVariant::scaled_k),
          .scaled_both = oracle.plain(problem, inputs, PlainVariant::scaled_both),
          .magnitude = ask_magnitude(oracle, problem, inputs)};
}

std::vector<PeerOpinion> peer_opinions(const Observation& observation, const PlainAnswers& plain) {
  const Dtype dtype = observation.c.problem.dtype;
  std::vector<PeerTensor> tensors;
  for (const auto& [name, output] : observation.outputs) {
    if (output.transport == Transport::not_given) continue;
    tensors.push_back(tensor_of(observation, output, plain));
    if (tensors.back().got.empty()) tensors.pop_back();
  }
  std::vector<PeerOpinion> opinions;
  for (const PeerRule& rule : peer_rules()) {
    for (const PeerTensor& tensor : tensors) {
      if (rule.applies(dtype, tensor.name)) opinions.push_back(opinion_of(rule, tensor));
    }
  }
  return opinions;
}

std::map<std::string_view, std::optional<bool>> peer_outcomes(
    const std::vector<PeerOpinion>& opinions) {
  std::map<std::string_view, std::optional<bool>> outcomes;
  for (const PeerOpinion& opinion : opinions) {
    std::optional<bool>& outcome = outcomes.try_emplace(opinion.rule, true).first->second;
    if (outcome == false) continue;
    if (opinion.pass != true) outcome = opinion.pass;
  }
  return outcomes;
}

void add_peer_opinions(std::vector<TensorMetrics>& tensors,
                       const std::vector<PeerOpinion>& opinions) {
  for (const PeerOpinion& opinion : opinions) {
    if (!opinion.pass) continue;
    const auto at = std::ranges::find(tensors, to_string(opinion.tensor), &TensorMetrics::tensor);
    if (at == tensors.end()) continue;
    at->peer_rules[std::string(opinion.rule)] = {*opinion.pass,
                                                 peer_share(opinion.value, opinion.limit)};
  }
}

}  // namespace fathom
