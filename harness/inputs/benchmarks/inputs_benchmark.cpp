// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/guards.h"
#include "harness/inputs/inputs.h"
#include "harness/inputs/normal.h"
#include "harness/inputs/philox.h"

#include <benchmark/benchmark.h>

#include <vector>

namespace fathom {
namespace {

void words(benchmark::State& state) {
  std::vector<std::uint32_t> out(1 << 16);
  for (auto _ : state) {
    philox_words(1, 0, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<Index>(out.size()));
}
BENCHMARK(words);

void normals(benchmark::State& state) {
  std::vector<double> out(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    fill_normal(1, 0, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(normals)->Arg(64)->Arg(128)->Arg(1 << 16);

/// All inputs of one Case, rounded to storage.
void inputs(benchmark::State& state, Dtype dtype, Fill fill) {
  Case c;
  c.fill = fill;
  c.problem = {.dtype = dtype,
               .query_heads = 8,
               .kv_heads = 8,
               .head_dim = 64,
               .value_dim = 64,
               .sequences = {{1024, 1024}},
               .mask = {},
               .softmax_scale = {}};
  for (auto _ : state) benchmark::DoNotOptimize(make_inputs(c));
  state.SetItemsProcessed(state.iterations() * 3 * 8 * 1024 * 64);
}
BENCHMARK_CAPTURE(inputs, f32_normal, Dtype::f32, Fill::normal);
BENCHMARK_CAPTURE(inputs, bf16_normal, Dtype::bf16, Fill::normal);
BENCHMARK_CAPTURE(inputs, f16_normal, Dtype::f16, Fill::normal);
BENCHMARK_CAPTURE(inputs, bf16_p_one, Dtype::bf16, Fill::p_one);

void check_guard(benchmark::State& state) {
  std::vector<std::byte> guard(guard_bytes);
  paint_guard(guard);
  for (auto _ : state) benchmark::DoNotOptimize(find_damage(guard));
  state.SetBytesProcessed(state.iterations() * guard_bytes);
}
BENCHMARK(check_guard);

void check_unwritten(benchmark::State& state) {
  std::vector<std::byte> bytes(1 << 20);
  for (auto _ : state) benchmark::DoNotOptimize(find_unwritten(Dtype::bf16, bytes));
  state.SetBytesProcessed(state.iterations() * static_cast<Index>(bytes.size()));
}
BENCHMARK(check_unwritten);

}  // namespace
}  // namespace fathom

BENCHMARK_MAIN();
