// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/judge.h"
#include "harness/checks/metrics.h"
#include "harness/checks/tests/synthetic.h"

#include <benchmark/benchmark.h>

namespace fathom {
namespace {

/// 16 heads of 512 queries and keys, d = dv = 128: 2^20 elements in each tensor.
Synthetic million(Direction direction) {
  Case c = big_case(Dtype::bf16, Fill::normal);
  c.problem.direction = direction;
  c.problem.query_heads = c.problem.kv_heads = 16;
  c.problem.head_dim = c.problem.value_dim = 128;
  c.problem.sequences = {{512, 512, 0}};
  return Synthetic(c);
}

Index elements_of(const Observation& observation) {
  Index count = 0;
  for (const auto& [name, output] : observation.outputs) count += element_count(output.tensor.spec);
  return count;
}

/// Counts elements per second; its inverse is the time of one element.
void per_element(benchmark::State& state, Index elements) {
  state.counters["time_per_element"] = benchmark::Counter(
      static_cast<double>(elements),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void judge_forward(benchmark::State& state) {
  const Observation observation = million(Direction::fwd).observation();
  for (auto _ : state) benchmark::DoNotOptimize(judge(observation));
  per_element(state, elements_of(observation));
}
BENCHMARK(judge_forward)->Unit(benchmark::kMillisecond);

void judge_with_gradients(benchmark::State& state) {
  const Observation observation = million(Direction::fwd_bwd).observation();
  for (auto _ : state) benchmark::DoNotOptimize(judge(observation));
  per_element(state, elements_of(observation));
}
BENCHMARK(judge_with_gradients)->Unit(benchmark::kMillisecond);

void weigh_forward(benchmark::State& state) {
  const Observation observation = million(Direction::fwd).observation();
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  for (auto _ : state) benchmark::DoNotOptimize(weigh(observation, reach).tensors.data());
  per_element(state, elements_of(observation));
}
BENCHMARK(weigh_forward)->Unit(benchmark::kMillisecond);

void metrics_forward(benchmark::State& state) {
  const Observation observation = million(Direction::fwd).observation();
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  const Evidence evidence = weigh(observation, reach);
  for (auto _ : state) benchmark::DoNotOptimize(metrics_of(evidence, evidence.tensors.front()));
  per_element(state, elements_of(observation));
}
BENCHMARK(metrics_forward)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fathom

BENCHMARK_MAIN();
