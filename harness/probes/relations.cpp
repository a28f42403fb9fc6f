// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/relations.h"

#include "harness/core/visible.h"
#include "harness/inputs/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace fathom {
namespace {

/// z^2; NaN counts as infinitely far.
double square_of(double z) {
  if (std::isnan(z)) return std::numeric_limits<double>::infinity();
  return z * z;
}

constexpr std::string_view base_label = "as asked";
constexpr std::string_view repetition_label = "once more";
constexpr std::string_view control_label = "control";

std::size_t element_size(const Tensor& tensor) {
  return static_cast<std::size_t>(info(tensor.spec.dtype).size);
}

std::span<std::byte> row_bytes(const Problem& problem, Tensor& tensor, RowPlace place) {
  const HeadView view = head_view(problem, tensor.spec.name, place.sequence, place.head);
  const auto first = static_cast<std::size_t>(view.offset + place.row * view.row_stride);
  return std::span(tensor.bytes)
      .subspan(first * element_size(tensor),
               static_cast<std::size_t>(view.channels) * element_size(tensor));
}

std::span<const std::byte> row_bytes(const Problem& problem, const Tensor& tensor, RowPlace place) {
  const HeadView view = head_view(problem, tensor.spec.name, place.sequence, place.head);
  const auto first = static_cast<std::size_t>(view.offset + place.row * view.row_stride);
  return std::span(tensor.bytes)
      .subspan(first * element_size(tensor),
               static_cast<std::size_t>(view.channels) * element_size(tensor));
}

const ObservedTensor& output_of(const Outcome& outcome, TensorName name) {
  return outcome.observation->outputs.at(name);
}

/// Equal numbers; NaN equals NaN.
bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

std::vector<double> decoded(const Tensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(element_count(tensor.spec)));
  decode(tensor.spec.dtype, tensor.bytes, values);
  return values;
}

double rms(const std::vector<double>& values) {
  double sum = 0;
  for (const double x : values) {
    if (std::isfinite(x)) sum += x * x;
  }
  return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace

Index first_element(const Problem& problem, TensorName name, RowPlace place) {
  const HeadView view = head_view(problem, name, place.sequence, place.head);
  return view.offset + place.row * view.row_stride;
}

std::vector<double> read_row(const Problem& problem, const Tensor& tensor, RowPlace place) {
  const std::span<const std::byte> bytes = row_bytes(problem, tensor, place);
  std::vector<double> channels(bytes.size() / element_size(tensor));
  decode(tensor.spec.dtype, bytes, channels);
  return channels;
}

void write_row(const Problem& problem, Tensor& tensor, RowPlace place,
               std::span<const double> channels) {
  encode(tensor.spec.dtype, channels, row_bytes(problem, tensor, place));
}

std::function<void(const Problem&, TensorSet&)> rows_of(const Case& base, const RowMap& map) {
  return [base, map](const Problem& problem, TensorSet& inputs) {
    const TensorSet source = make_inputs(base);
    for (auto& [name, tensor] : inputs) {
      for_each_place(problem, name, [&, name = name, &tensor = tensor](RowPlace place) {
        const RowPlace from = map(name, place);
        const auto bytes = row_bytes(base.problem, source.at(name), from);
        const auto row = row_bytes(problem, tensor, place);
        std::copy(bytes.begin(), bytes.end(), row.begin());
      });
    }
  };
}

bool is_gradient(TensorName name) {
  return name == TensorName::dq || name == TensorName::dk || name == TensorName::dv;
}

std::vector<TensorName> given_outputs(const Outcome& outcome) {
  std::vector<TensorName> names;
  for (const TensorSpec& spec : output_specs(outcome.observation->c.problem)) {
    const auto found = outcome.observation->outputs.find(spec.name);
    if (found == outcome.observation->outputs.end()) continue;
    if (found->second.transport != Transport::not_given) names.push_back(spec.name);
  }
  return names;
}

const Outcome* answered(std::span<const Outcome> outcomes, std::string_view label) {
  const auto found = std::find_if(outcomes.begin(), outcomes.end(), [&](const Outcome& outcome) {
    return outcome.trial->label == label;
  });
  return found == outcomes.end() || !found->observation ? nullptr : &*found;
}

Yardstick::Yardstick(const Outcome& base) : outcome_(base) {
  for (const TensorName name : given_outputs(base)) {
    units_[name].values = decoded(output_of(base, name).tensor);
  }
  if (!base.observation->oracle) return;
  const std::vector<Reach> reach = reach_of(base.observation->c.problem);
  const Evidence evidence = weigh(*base.observation, reach);
  for (const Comparison& comparison : evidence.tensors) {
    if (comparison.observed == nullptr) continue;
    units_[comparison.spec.name] = make_unit(comparison, evidence);
  }
}

Yardstick::Unit Yardstick::make_unit(const Comparison& comparison, const Evidence& evidence) const {
  Unit unit;
  unit.values = comparison.got;
  const OracleTensor& oracle = *comparison.oracle;
  unit.sigma = comparison.spec.name == TensorName::lse ? oracle.bound : oracle.sigma;
  if (evidence.observation.c.problem.dtype == Dtype::f64) {
    // The floor: what is left of numbers of order 1 that cancel, as dS does where one key is seen.
    constexpr double floor = 1e-13;
    unit.sigma.assign(oracle.value.size(), 10 * fp64_limit * rms(oracle.value) + floor);
    return unit;
  }
  if (comparison.spec.name == TensorName::lse) return unit;
  const Limits limits = limits_for(evidence.observation.c, evidence.observation.arithmetic,
                                   comparison.spec.name, comparison.score);
  unit.limit = limits.row_rho.value_or(1);
  return unit;
}

void Yardstick::allow_noise_seen_in(const Outcome& again) {
  for (const TensorName name : given_outputs(again)) {
    if (is_gradient(name) && compare(name, again).unequal != 0) noisy_.push_back(name);
  }
}

Difference Yardstick::compare(TensorName name, const Outcome& other, const RowMap& map,
                              const RowFilter& filter) const {
  Difference difference;
  const Problem& problem = other.observation->c.problem;
  const Problem& base = outcome_.observation->c.problem;
  const Unit& unit = units_.at(name);
  const std::vector<double> got = decoded(output_of(other, name).tensor);
  for_each_place(problem, name, [&](RowPlace place) {
    if (filter && !filter(place)) return;
    ++difference.rows;
    const Index channels = head_view(problem, name, place.sequence, place.head).channels;
    const Index at = first_element(problem, name, place);
    const Index from = first_element(base, name, map ? map(name, place) : place);
    double zz = 0;
    Index wrong = -1;
    for (Index c = 0; c < channels; ++c) {
      const auto g = static_cast<std::size_t>(at + c);
      const auto w = static_cast<std::size_t>(from + c);
      if (same(got[g], unit.values[w])) continue;
      if (wrong < 0) wrong = c;
      const double sigma = unit.sigma.empty() ? 0 : unit.sigma[w];
      const double z = (got[g] - unit.values[w]) / sigma;
      zz += square_of(z);
    }
    if (wrong < 0) return;
    if (difference.unequal++ == 0) {
      Element& first = difference.first;
      first.tensor = to_string(name);
      first.place = place_of(problem, name, at + wrong);
      first.got = got[static_cast<std::size_t>(at + wrong)];
      first.want = unit.values[static_cast<std::size_t>(from + wrong)];
    }
    difference.rho = std::max(difference.rho, std::sqrt(zz / static_cast<double>(channels)));
  });
  difference.share = difference.rho / unit.limit;
  return difference;
}

double Yardstick::largest_share(TensorName name, const std::vector<double>& a,
                                const std::vector<double>& b, const Yardstick& other) const {
  const Problem& problem = outcome_.observation->c.problem;
  const Unit& unit = units_.at(name);
  const auto found = other.units_.find(name);
  if (a.size() != b.size() || found == other.units_.end()) {
    return std::numeric_limits<double>::infinity();
  }
  double largest = 0;
  for_each_place(problem, name, [&](RowPlace place) {
    const Index channels = head_view(problem, name, place.sequence, place.head).channels;
    const auto first = static_cast<std::size_t>(first_element(problem, name, place));
    double zz = 0;
    for (std::size_t at = first; at < first + static_cast<std::size_t>(channels); ++at) {
      if (same(a[at], b[at])) continue;
      const double z = (a[at] - b[at]) / std::max(unit.sigma[at], found->second.sigma[at]);
      zz += square_of(z);
    }
    const double rho = std::sqrt(zz / static_cast<double>(channels));
    largest = std::max(largest, rho / unit.limit);
  });
  return largest;
}

bool Yardstick::equal(TensorName name, const Difference& difference) const {
  if (difference.unequal == 0) return true;
  const bool noisy = std::find(noisy_.begin(), noisy_.end(), name) != noisy_.end();
  return noisy && difference.share <= 1;
}

double Yardstick::row_limit(TensorName name) const {
  return units_.at(name).limit;
}

Finding difference_finding(std::string check, FailClass fail_class, const std::string& sentence,
                           const Difference& difference) {
  Finding finding;
  finding.check = std::move(check);
  finding.tensor = difference.first.tensor;
  finding.fail_class = fail_class;
  finding.value = static_cast<double>(difference.unequal);
  finding.limit = 0;
  finding.worst = difference.first;
  finding.message =
      fmt::format("{}: {}: {} of {} rows differ, first at {}", finding.tensor, sentence,
                  difference.unequal, difference.rows, to_string(difference.first));
  return finding;
}

std::vector<Finding> findings_in_rows(const Observation& observation) {
  std::vector<Finding> findings = judge(observation).findings;
  const auto average = [](const Finding& finding) {
    return finding.check == "accuracy.tensor_rho" || finding.check == "accuracy.bias_z" ||
           finding.check == "accuracy.gain";
  };
  findings.erase(std::remove_if(findings.begin(), findings.end(), average), findings.end());
  return findings;
}

bool wants_repetition(const Case& c) {
  return has_backward(c.problem) && !c.problem.deterministic;
}

Trial base_trial(const Case& c) {
  return {.label = std::string(base_label), .c = c};
}

Trial repetition_trial(const Case& c) {
  return {.label = std::string(repetition_label), .c = c, .oracle = false};
}

namespace {

/// The last query of a sequence that sees a key; -1 if none does.
Index last_seeing_query(const Problem& problem, Index sequence) {
  const Sequence& s = problem.sequences[static_cast<std::size_t>(sequence)];
  Index query = s.query_length - 1;
  while (query >= 0 && visible_keys(problem.mask, s, query).size() == 0) --query;
  return query;
}

/// Moves one key in line with a query, so that its weight is about as large as it can be.
void attract(const Problem& problem, TensorSet& inputs, RowPlace query, RowPlace key) {
  constexpr double size = 16;
  std::vector<double> direction = read_row(problem, inputs.at(TensorName::q), query);
  double largest = 0;
  for (const double x : direction) largest = std::max(largest, std::abs(x));
  if (largest == 0) largest = 1;
  const double factor = std::copysign(size / largest, softmax_scale(problem));
  for (double& x : direction) x *= factor;
  write_row(problem, inputs.at(TensorName::k), key, direction);
  std::vector<double> value = read_row(problem, inputs.at(TensorName::v), key);
  for (std::size_t c = 0; c < value.size(); ++c) value[c] = c % 2 == 0 ? size : -size - 1;
  write_row(problem, inputs.at(TensorName::v), key, value);
}

void change_what_is_seen(const Problem& problem, TensorSet& inputs) {
  const Index group = problem.query_heads / problem.kv_heads;
  for (Index s = 0; s < static_cast<Index>(problem.sequences.size()); ++s) {
    const Index query = last_seeing_query(problem, s);
    if (query < 0) continue;
    const Sequence& sequence = problem.sequences[static_cast<std::size_t>(s)];
    const Index key = visible_keys(problem.mask, sequence, query).end - 1;
    for (Index head = 0; head < problem.kv_heads; ++head) {
      attract(problem, inputs, {s, head * group, query}, {s, head, key});
    }
    const auto dout = inputs.find(TensorName::dout);
    if (dout == inputs.end()) continue;
    for (Index head = 0; head < problem.query_heads; ++head) {
      std::vector<double> row = read_row(problem, dout->second, {s, head, query});
      for (double& x : row) x = -x;
      write_row(problem, dout->second, {s, head, query}, row);
    }
  }
}

bool all_zero(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double x) { return x == 0; });
}

/// Whether the control must move this row of the tensor: row `query` of the first head of each
/// group, or the key it sees last.
bool must_move(const Problem& problem, const Outcome& base, TensorName name, RowPlace place) {
  const Index query = last_seeing_query(problem, place.sequence);
  if (query < 0) return false;
  const auto& sequence = problem.sequences[static_cast<std::size_t>(place.sequence)];
  const KeyRange keys = visible_keys(problem.mask, sequence, query);
  if (has_key_rows(name)) {
    // With one key the weights are 1 whatever K is.
    return place.row == keys.end - 1 && (name == TensorName::dv || keys.size() > 1);
  }
  if (place.row != query || place.head % (problem.query_heads / problem.kv_heads) != 0) {
    return false;
  }
  if (name == TensorName::o) return true;
  const bool flat = softmax_scale(problem) == 0 ||
                    all_zero(read_row(problem, base.inputs->at(TensorName::q), place));
  if (name == TensorName::lse) return !flat;
  return keys.size() > 1 && softmax_scale(problem) != 0;
}

}  // namespace

Trial control_trial(const Case& c) {
  return {
      .label = std::string(control_label), .c = c, .edit = change_what_is_seen, .oracle = false};
}

std::string why_control_failed(const Yardstick& base, std::span<const Outcome> outcomes) {
  const Outcome* control = answered(outcomes, control_label);
  if (control == nullptr) return "the backend refused the control";
  const Problem& problem = base.outcome().observation->c.problem;
  bool some = false;
  for (const TensorName name : given_outputs(base.outcome())) {
    if (name == TensorName::dk) continue;  // Moves where dS does, and rounds to 0 where that is 0.
    const Difference difference = base.compare(name, *control, {}, [&](RowPlace place) {
      return must_move(problem, base.outcome(), name, place);
    });
    some |= difference.rows != 0;
    if (difference.unequal == difference.rows) continue;
    return fmt::format(
        "the control failed: another visible key, V and dO left {} of {} rows of {} as they were",
        difference.rows - difference.unequal, difference.rows, to_string(name));
  }
  return some ? "" : "no query sees a key, so there is nothing that a control could change";
}

}  // namespace fathom
