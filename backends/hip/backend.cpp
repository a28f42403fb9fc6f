// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/backend.h"

#include "backends/hip/attention.h"
#include "harness/worker/measure.h"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace fathom::hip {
namespace {

constexpr const char* two_pass = "two_pass";

class HostPlan : public worker::Plan {
 public:
  HostPlan(const Problem& problem, const std::string& lowering, const worker::InputViews& inputs,
           const worker::OutputViews& outputs, const HostKernels& kernels)
      : attention_(problem, inputs, outputs, kernels),
        has_backward_(has_backward(problem)),
        two_passes_(lowering == two_pass),
        outputs_(outputs) {}

  void execute() override {
    forward();
    if (has_backward_) backward();
  }

  [[nodiscard]] std::map<TensorName, Transport> transports() const override {
    return worker::all_in_place(outputs_);
  }

  [[nodiscard]] worker::TimeAnswer time(const worker::TimeRequest& /*request*/) override {
    return {"cpu", {}, "the time of an emulation says nothing about the kernel's"};
  }

  [[nodiscard]] MemoryUse memory() override {
    return worker::resident_growth([this] { execute(); }, worker::output_bytes(outputs_));
  }

 private:
  void forward() {
    watched([this](host::Alarms& alarms) {
      two_passes_ ? attention_.forward_in_two_passes(schedule_, alarms)
                  : attention_.forward(schedule_, alarms);
    });
  }
  void backward() {
    watched([this](host::Alarms& alarms) { attention_.backward(schedule_, alarms); });
  }

  /// An alarm is an answer that must not be taken for one.
  template <typename Body>
  void watched(Body body) {
    host::Alarms alarms;
    body(alarms);
    if (alarms.count() != 0) throw std::runtime_error(alarms.summary());
  }

  Attention attention_;
  bool has_backward_;
  bool two_passes_;
  worker::OutputViews outputs_;
  host::Schedule schedule_{
      .seed = 0, .threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};
};

/// P and dS are rounded to the inputs' dtype. O, dQ, dK and dV are operands of the matrix
/// instructions from the first tile to the last: one chain over all keys or queries.
Arithmetic arithmetic(Dtype dtype) {
  Arithmetic arithmetic = flash_arithmetic(dtype);
  arithmetic.block_m = 65536;
  arithmetic.block_n = 65536;
  arithmetic.link = "backends/hip/kernel/product.h";
  return arithmetic;
}

bool is_prefix_lm_alone(const Mask& mask) {
  return mask.terms.size() == 1 && has<PrefixLm>(mask);
}

std::optional<worker::Refusal> why_shape_unsupported(const Problem& problem) {
  if (find_kernels(Target::amd, problem.dtype, problem.head_dim) == nullptr) {
    return worker::Refusal{"shape", "no kernel is built for head dim " +
                                        std::to_string(problem.head_dim) +
                                        "; there are 64, 96, 128 and 256"};
  }
  if (softmax_scale(problem) <= 0) {
    return worker::Refusal{"scale",
                           "the scale must be above 0: the row maximum is taken before it"};
  }
  Index longest = 0;
  for (const Sequence& s : problem.sequences) longest += std::max(s.query_length, s.key_length);
  if (longest > unlimited / 2) return worker::Refusal{"shape", "more than 2^28 tokens"};
  return std::nullopt;
}

class HostBackend : public worker::Backend {
 public:
  explicit HostBackend(Target target) : target_(target) {}

  [[nodiscard]] worker::BackendInfo info() const override {
    worker::BackendInfo info;
    info.name = name();
    info.version = "1";
    info.device = "cpu, SIMT executor";
    info.lowerings = {"native", two_pass};
    info.features = {"dtype.f16",
                     "dtype.bf16",
                     "layout.bshd",
                     "layout.bhsd",
                     "varlen",
                     "mask.causal",
                     "mask.causal.top_left",
                     "mask.causal.bottom_right",
                     "mask.window",
                     "mask.prefix_lm",
                     "gqa",
                     "cross_lengths",
                     "empty_sequence",
                     "scale",
                     "backward",
                     "lse",
                     "dlse",
                     "deterministic"};
    for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) info.arithmetic[dtype] = arithmetic(dtype);
    return info;
  }

  [[nodiscard]] std::optional<worker::Refusal> why_unsupported(
      const Problem& problem, const std::string& lowering) override {
    if (lowering == two_pass) {
      if (!is_prefix_lm_alone(problem.mask) || has_backward(problem)) {
        return worker::Refusal{"lowering", "two_pass answers the forward pass of mask=prefix_lm"};
      }
    } else if (lowering != "native") {
      return worker::Refusal{
          "lowering", name() + " has no lowering '" + lowering + "'; ask for native or two_pass"};
    }
    return why_shape_unsupported(problem);
  }

  [[nodiscard]] std::unique_ptr<worker::Plan> prepare(const Problem& problem,
                                                      const std::string& lowering,
                                                      const worker::InputViews& inputs,
                                                      const worker::OutputViews& outputs) override {
    const HostKernels* kernels = find_kernels(target_, problem.dtype, problem.head_dim);
    if (kernels == nullptr) throw std::runtime_error(name() + " has no kernel for this Problem");
    return std::make_unique<HostPlan>(problem, lowering, inputs, outputs, *kernels);
  }

 private:
  [[nodiscard]] std::string name() const {
    return target_ == Target::nvidia ? "hip:host32" : "hip:host64";
  }
  Target target_;
};

/// A platform that this build is not for.
class AbsentBackend : public worker::Backend {
 public:
  AbsentBackend(std::string name, std::string why) : name_(std::move(name)), why_(std::move(why)) {}
  [[nodiscard]] worker::BackendInfo info() const override {
    worker::BackendInfo info;
    info.name = name_;
    info.absent = why_;
    return info;
  }
  [[nodiscard]] std::optional<worker::Refusal> why_unsupported(
      const Problem& /*problem*/, const std::string& /*lowering*/) override {
    return worker::Refusal{"device", why_};
  }
  [[nodiscard]] std::unique_ptr<worker::Plan> prepare(
      const Problem& /*problem*/, const std::string& /*lowering*/,
      const worker::InputViews& /*inputs*/, const worker::OutputViews& /*outputs*/) override {
    throw std::runtime_error(why_);
  }

 private:
  std::string name_;
  std::string why_;
};

/// Why this CPU cannot run the executor as it was built; empty if it can.
std::string why_cpu_unfit() {
#if defined(FATHOM_HIP_X86_64_V3)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    return "the executor was built for x86-64-v3 and this CPU has no AVX2";
  }
#endif
  return "";
}

}  // namespace

std::unique_ptr<worker::Backend> make_host_backend(Target target) {
  return std::make_unique<HostBackend>(target);
}

std::vector<std::unique_ptr<worker::Backend>> make_all_backends() {
  std::vector<std::unique_ptr<worker::Backend>> backends;
  const std::string unfit = why_cpu_unfit();
  for (const Target target : {Target::amd, Target::nvidia}) {
    backends.push_back(make_host_backend(target));
    const std::string name = backends.back()->info().name;
    if (!unfit.empty()) backends.back() = std::make_unique<AbsentBackend>(name, unfit);
  }
  backends.push_back(std::make_unique<AbsentBackend>(
      "hip:amd", "this build has no HIP runtime: its kernels run on the host only"));
  backends.push_back(std::make_unique<AbsentBackend>(
      "hip:nvidia", "this build has no CUDA runtime: its kernels run on the host only"));
  return backends;
}

}  // namespace fathom::hip
