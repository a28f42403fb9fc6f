// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/backend.h"

#include "backends/hip/host_launcher.h"
#include "backends/hip/kernel/defects.h"
#include "backends/hip/tests/judged.h"
#include "harness/core/features.h"
#include "harness/inputs/inputs.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom::hip {
namespace {

const std::string shape = "layout=bshd hq=2 hkv=2 d=64 dv=64 ";

std::optional<worker::Refusal> refusal(const std::string& text, const std::string& lowering) {
  return make_host_backend(Target::amd)->why_unsupported(parse_problem(text), lowering);
}

TEST(HipBackendTest, DeclaresTokensThatExist) {
  for (const std::string& feature : make_host_backend(Target::amd)->info().features) {
    const auto known = all_feature_tokens();
    EXPECT_TRUE(std::any_of(known.begin(), known.end(), [&](const FeatureToken& token) {
      return token.name == feature;
    })) << feature;
  }
}

TEST(HipBackendTest, DeclaresRoundedWeightsAndOneChainOfSums) {
  for (const auto& [dtype, declared] : make_host_backend(Target::nvidia)->info().arithmetic) {
    EXPECT_EQ(declared.p_dtype, dtype);
    EXPECT_EQ(declared.ds_dtype, dtype);
    EXPECT_EQ(declared.acc, Accumulator::fp32);
    EXPECT_EQ(declared.block_n, 65536);
    EXPECT_FALSE(declared.link.empty());
  }
}

TEST(HipBackendTest, RefusesWhatNoKernelIsBuiltFor) {
  EXPECT_FALSE(refusal("dir=fwd dtype=f16 seqs=8 mask=full " + shape, "native"));
  EXPECT_EQ(
      refusal("dir=fwd dtype=f16 seqs=8 mask=full layout=bshd hq=1 hkv=1 d=80 dv=80", "native")
          ->code,
      "shape");
  for (const std::string scale : {"0", "-0.125"}) {
    EXPECT_EQ(
        refusal("dir=fwd dtype=f16 seqs=8 mask=full scale=" + scale + " " + shape, "native")->code,
        "scale");
  }
}

TEST(HipBackendTest, AnswersInTwoPassesWhatHasTwo) {
  EXPECT_FALSE(refusal("dir=fwd dtype=bf16 seqs=8p3 mask=prefix_lm " + shape, "two_pass"));
  EXPECT_TRUE(refusal("dir=fwd dtype=bf16 seqs=8 mask=full " + shape, "two_pass"));
  EXPECT_TRUE(refusal("dir=fwd+bwd dtype=bf16 seqs=8p3 mask=prefix_lm " + shape, "two_pass"));
  EXPECT_TRUE(
      refusal("dir=fwd dtype=bf16 seqs=8p3 mask=prefix_lm&window(3,3) " + shape, "two_pass"));
  EXPECT_TRUE(refusal("dir=fwd dtype=bf16 seqs=8p3 mask=prefix_lm " + shape, "loop"));
}

TEST(HipBackendTest, SaysWhyAPlatformIsAbsent) {
  for (const auto& backend : make_all_backends()) {
    const worker::BackendInfo info = backend->info();
    EXPECT_EQ(info.absent.empty(), !info.device.empty()) << info.name;
  }
  const GpuOrWhy none{nullptr, "no GPU is seen"};
  const auto absent = make_gpu_backend("hip:nvidia", none);
  EXPECT_EQ(absent->info().absent, "no GPU is seen");
  EXPECT_EQ(
      absent
          ->why_unsupported(parse_problem("dir=fwd dtype=f16 seqs=8 mask=full " + shape), "native")
          ->sentence,
      "no GPU is seen");
}

/// The tensors of a Case: inputs filled, outputs poisoned.
struct Tensors {
  explicit Tensors(const Case& c) : inputs(make_inputs(c)) {
    for (const auto& [name, tensor] : inputs) input_views[name] = tensor.view();
    for (const TensorSpec& spec : output_specs(c.problem)) {
      memory[spec.name].assign(static_cast<std::size_t>(byte_count(spec)), std::byte{0xff});
      output_views[spec.name] = {spec, memory[spec.name]};
    }
  }
  TensorSet inputs;
  std::map<TensorName, std::vector<std::byte>> memory;
  worker::InputViews input_views;
  worker::OutputViews output_views;
};

/// Says 5 ns, and counts.
class FakeStopwatch : public Stopwatch {
 public:
  void start() override { ++started; }
  [[nodiscard]] double stop_ns() override { return 5; }
  int started = 0;
};

/// What happens round a GPU's kernels, with the executor in its place.
TEST(HipBackendTest, AGpuAnswersByCopiesWithTheBitsOfItsKernels) {
  const Case c = parse_case(
      "dir=fwd+bwd dtype=bf16 layout=thd hq=2 hkv=1 d=64 dv=64 seqs=70p30,33p33 "
      "mask=prefix_lm fill=normal seed=1");
  const HostLauncher launcher(Target::nvidia);
  HostMemory memory;
  FakeStopwatch stopwatch;
  const Gpu gpu{"cuda:0 none", launcher, memory, stopwatch};
  const GpuOrWhy there{&gpu, ""};
  const auto on_gpu = make_gpu_backend("hip:nvidia", there);
  EXPECT_EQ(on_gpu->info().device, "cuda:0 none");
  EXPECT_FALSE(on_gpu->why_unsupported(c.problem, "native"));
  Tensors copied(c);
  Tensors in_place(c);
  const auto plan = on_gpu->prepare(c.problem, "native", copied.input_views, copied.output_views);
  plan->execute();
  make_host_backend(Target::nvidia)
      ->prepare(c.problem, "native", in_place.input_views, in_place.output_views)
      ->execute();
  EXPECT_TRUE(copied.memory == in_place.memory);
  for (const auto& [name, transport] : plan->transports()) {
    EXPECT_EQ(transport, Transport::copied) << to_string(name);
  }
  const worker::TimeAnswer time = plan->time({.pass = "backward", .samples = 3, .cold = false});
  EXPECT_EQ(time.mode, "event");
  EXPECT_EQ(time.samples_ns, std::vector<double>(3, 5.0));
  EXPECT_EQ(stopwatch.started, 3);
  EXPECT_FALSE(plan->time({.pass = "sideways", .samples = 1, .cold = false}).reason.empty());
  const MemoryUse use = plan->memory();
  EXPECT_EQ(*use.peak_bytes - use.output_bytes, 2 * 4 * 2 * 103);  // LSE in base 2, and delta.
}

TEST(HipBackendTest, AnAlarmOfTheExecutorIsNoAnswer) {
  const Case c =
      parse_case("dir=fwd dtype=bf16 seqs=200 mask=full " + shape + "fill=normal seed=1");
  Tensors tensors(c);
  const auto plan = make_host_backend(Target::amd)
                        ->prepare(c.problem, "native", tensors.input_views, tensors.output_views);
  EXPECT_NO_THROW(plan->execute());
  planted_defect = Defect::no_barrier_after_store;
  EXPECT_THROW(plan->execute(), std::runtime_error);
  planted_defect = Defect::none;
}

}  // namespace
}  // namespace fathom::hip
