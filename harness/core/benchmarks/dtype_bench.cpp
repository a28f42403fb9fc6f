// SPDX-License-Identifier: Apache-2.0
#include "harness/core/dtype.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <vector>

namespace fathom {
namespace {

constexpr std::size_t elements = 1 << 16;

/// Values of all sizes that the dtype knows in practice, subnormals of f16 among them.
std::vector<double> some_values() {
  std::vector<double> values(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    const auto x = static_cast<double>(i);
    values[i] = std::sin(x) * std::exp2(4 * std::cos(x * x) - 8);
  }
  return values;
}

void decode_elements(benchmark::State& state, Dtype dtype) {
  std::vector<double> values = some_values();
  std::vector<std::byte> bytes(elements * static_cast<std::size_t>(info(dtype).size));
  encode(dtype, values, bytes);
  for ([[maybe_unused]] auto round : state) {
    decode(dtype, bytes, values);
    benchmark::DoNotOptimize(values.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(elements));
}

void encode_elements(benchmark::State& state, Dtype dtype) {
  const std::vector<double> values = some_values();
  std::vector<std::byte> bytes(elements * static_cast<std::size_t>(info(dtype).size));
  for ([[maybe_unused]] auto round : state) {
    encode(dtype, values, bytes);
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(elements));
}

void round_elements(benchmark::State& state, Dtype dtype) {
  std::vector<double> values = some_values();
  for ([[maybe_unused]] auto round : state) {
    for (double& value : values) value = round_to(dtype, value);
    benchmark::DoNotOptimize(values.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(elements));
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) {
  for (const fathom::DtypeInfo& row : fathom::dtypes) {
    const std::string name(row.name);
    benchmark::RegisterBenchmark(("decode/" + name).c_str(), fathom::decode_elements, row.dtype);
    benchmark::RegisterBenchmark(("encode/" + name).c_str(), fathom::encode_elements, row.dtype);
    benchmark::RegisterBenchmark(("round_to/" + name).c_str(), fathom::round_elements, row.dtype);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
