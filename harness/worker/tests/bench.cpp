// SPDX-License-Identifier: Apache-2.0
#include "harness/worker/tests/bench.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

namespace fathom::worker {
namespace {

constexpr std::size_t guard = std::size_t{64} * 1024;
constexpr std::byte pattern{0x3A};  // A small ordinary number in all dtypes.

Guarded make_tensor(const TensorSpec& spec, const std::function<double()>& next) {
  const auto size = static_cast<std::size_t>(byte_count(spec));
  Guarded tensor{spec, std::vector<std::byte>(size + 2 * guard, pattern)};
  std::vector<double> values(static_cast<std::size_t>(element_count(spec)));
  for (double& value : values) value = next();
  encode(spec.dtype, values, tensor.bytes());
  return tensor;
}

bool is_pattern(std::byte byte) {
  return byte == pattern;
}

}  // namespace

std::span<std::byte> Guarded::bytes() {
  return std::span(memory).subspan(guard, memory.size() - 2 * guard);
}

std::span<const std::byte> Guarded::bytes() const {
  return std::span(memory).subspan(guard, memory.size() - 2 * guard);
}

bool Guarded::is_guard_intact() const {
  return std::all_of(memory.begin(), memory.begin() + guard, is_pattern) &&
         std::all_of(memory.end() - guard, memory.end(), is_pattern);
}

Bench::Bench(const std::string& problem_text, double spread, unsigned seed)
    : problem(parse_problem(problem_text)) {
  std::mt19937 bits(seed);
  std::normal_distribution<double> normal(0, spread);
  for (const TensorSpec& spec : input_specs(problem)) {
    inputs[spec.name] = make_tensor(spec, [&] { return normal(bits); });
  }
  for (const TensorSpec& spec : output_specs(problem)) {
    outputs[spec.name] = make_tensor(spec, [] { return std::nan(""); });
  }
}

InputViews Bench::input_views() const {
  InputViews views;
  for (const auto& [name, tensor] : inputs) views[name] = {tensor.spec, tensor.bytes()};
  return views;
}

OutputViews Bench::output_views() {
  OutputViews views;
  for (auto& [name, tensor] : outputs) views[name] = {tensor.spec, tensor.bytes()};
  return views;
}

std::unique_ptr<Plan> Bench::plan(Backend& backend) {
  return backend.prepare(problem, "native", input_views(), output_views());
}

void Bench::run(Backend& backend) {
  plan(backend)->execute();
}

std::vector<double> Bench::values(TensorName name) const {
  const Guarded& tensor = inputs.count(name) != 0 ? inputs.at(name) : outputs.at(name);
  std::vector<double> values(static_cast<std::size_t>(element_count(tensor.spec)));
  decode(tensor.spec.dtype, tensor.bytes(), values);
  return values;
}

void Bench::set(TensorName input, const std::vector<double>& values) {
  encode(inputs.at(input).spec.dtype, values, inputs.at(input).bytes());
}

}  // namespace fathom::worker
