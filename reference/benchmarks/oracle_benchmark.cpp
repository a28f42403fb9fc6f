// SPDX-License-Identifier: Apache-2.0

// The oracle beside a plain fp64 matrix product of the same build of the kernels. `useful` counts
// the two (forward) or seven (forward and backward) products of attention, `executed` every
// product that is really formed: the error model adds its own, and the backward pass recomputes.

#include "harness/core/cost.h"
#include "reference/compute.h"
#include "reference/instruction_set.h"
#include "reference/parallel.h"

#include <benchmark/benchmark.h>

#include <random>

namespace fathom::reference {
namespace {

TensorSet random_inputs(const Problem& problem) {
  std::mt19937_64 bits(1);
  std::normal_distribution<double> normal;
  TensorSet inputs;
  for (const TensorSpec& spec : input_specs(problem)) {
    std::vector<double> values(static_cast<std::size_t>(element_count(spec)));
    for (double& value : values) value = normal(bits);
    Tensor tensor{spec, std::vector<std::byte>(static_cast<std::size_t>(byte_count(spec)))};
    encode(spec.dtype, values, tensor.bytes);
    inputs[spec.name] = tensor;
  }
  return inputs;
}

/// Of a full mask, where no tile is wasted.
double executed_flops(const Problem& p) {
  const bool sigma = p.dtype != Dtype::f64;
  const double d = static_cast<double>(p.head_dim);
  const double dv = static_cast<double>(p.value_dim);
  double forward = sigma ? 2 * d + 3 * dv : d + dv;
  if (is_16_bit(p.dtype)) forward += dv;  // Sum p|v| of the hard bound.
  const double dq = sigma ? 3 * d + 2 * dv : d + dv;
  const double dkdv = sigma ? 4 * d + 4 * dv : 2 * d + 2 * dv;
  const double pairs = static_cast<double>(visible_pairs(p) * p.query_heads);
  return 2 * pairs * (has_backward(p) ? forward + dq + dkdv : forward);
}

void report(benchmark::State& state, const char* name, double flops) {
  state.counters[name] = benchmark::Counter(flops / 1e9 * static_cast<double>(state.iterations()),
                                            benchmark::Counter::kIsRate);
}

void run_product(benchmark::State& state, const Kernels& kernels, int threads) {
  constexpr Index n = 768;
  const std::vector<double> a(n * n, 0.5);
  std::vector<std::vector<double>> c(static_cast<std::size_t>(threads), a);
  for (auto step : state) {
    run_tasks(threads, threads, [&](Index i) {
      kernels.product(a.data(), a.data(), c[static_cast<std::size_t>(i)].data(), n);
    });
  }
  report(state, "useful_GFLOPs", 2.0 * n * n * n * threads);
}

void run_oracle(benchmark::State& state, const Kernels& kernels, int threads,
                const std::string& text) {
  const Problem p = parse_problem(text);
  const TensorSet inputs = random_inputs(p);
  for (auto step : state) {
    benchmark::DoNotOptimize(
        compute_answer(p, flash_arithmetic(p.dtype), inputs, kernels, threads));
  }
  const Cost cost = cost_of(p);
  report(state, "useful_GFLOPs", cost.flops_forward + (has_backward(p) ? cost.flops_backward : 0));
  if (p.mask.terms.empty()) report(state, "executed_GFLOPs", executed_flops(p));
}

void add(const Kernels& kernels, int threads) {
  const std::string end = std::string("/") + kernels.name + "/threads:" + std::to_string(threads);
  const auto named = [&](const std::string& name, auto run) {
    auto* entry = benchmark::RegisterBenchmark((name + end).c_str(), run);
    entry->Unit(benchmark::kMillisecond);
    if (threads > 1) entry->UseRealTime();  // Else the CPU time, which a busy machine spares.
  };
  named("product", [=](benchmark::State& state) { run_product(state, kernels, threads); });
  for (const char* dtype : {"f64", "bf16"}) {
    for (const char* direction : {"fwd", "fwd+bwd"}) {
      for (const char* mask : {"full", "causal(bottom_right)"}) {
        const std::string text = "dir=" + std::string(direction) + " dtype=" + dtype +
                                 " layout=bshd hq=2 hkv=2 d=128 dv=128 seqs=1024 mask=" + mask;
        named("oracle/" + std::string(dtype) + "/" + direction + "/" + mask,
              [=](benchmark::State& state) { run_oracle(state, kernels, threads, text); });
      }
    }
  }
}

}  // namespace
}  // namespace fathom::reference

int main(int argc, char** argv) {
  for (const auto& kernels : fathom::reference::runnable_kernels()) {
    fathom::reference::add(kernels, 1);
    const int all = fathom::reference::thread_count(0);
    if (all > 1) fathom::reference::add(kernels, all);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
