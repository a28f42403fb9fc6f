// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/backend.h"

#include "backends/hip/attention.h"
#include "backends/hip/gpu_plan.h"
#include "backends/hip/host_plan.h"
#include "backends/hip/platforms.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace fathom::hip {
namespace {

constexpr const char* two_pass = "two_pass";

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
  Index tokens = 0;
  for (const Sequence& s : problem.sequences) tokens += std::max(s.query_length, s.key_length);
  if (tokens > unlimited / 2) return worker::Refusal{"shape", "more than 2^28 tokens"};
  const std::optional<std::string> why = why_no_kernel(shape_of(problem));
  if (!why) return std::nullopt;
  return worker::Refusal{softmax_scale(problem) > 0 ? "shape" : "scale", *why};
}

using MakePlan = std::function<std::unique_ptr<worker::Plan>(
    const Problem& problem, bool two_passes, const worker::InputViews& inputs,
    const worker::OutputViews& outputs)>;

/// The kernel on one platform.
class KernelBackend : public worker::Backend {
 public:
  KernelBackend(std::string name, std::string device, MakePlan make_plan)
      : name_(std::move(name)), device_(std::move(device)), make_plan_(std::move(make_plan)) {}

  [[nodiscard]] worker::BackendInfo info() const override {
    worker::BackendInfo info;
    info.name = name_;
    info.version = "1";
    info.device = device_;
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
          "lowering", name_ + " has no lowering '" + lowering + "'; ask for native or two_pass"};
    }
    return why_shape_unsupported(problem);
  }

  [[nodiscard]] std::unique_ptr<worker::Plan> prepare(const Problem& problem,
                                                      const std::string& lowering,
                                                      const worker::InputViews& inputs,
                                                      const worker::OutputViews& outputs) override {
    return make_plan_(problem, lowering == two_pass, inputs, outputs);
  }

 private:
  std::string name_;
  std::string device_;
  MakePlan make_plan_;
};

/// A platform that is not here.
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

}  // namespace

std::unique_ptr<worker::Backend> make_host_backend(Target target) {
  const bool nvidia = target == Target::nvidia;
  const std::string name = nvidia ? "hip:host32" : "hip:host64";
  const Platform& platform = *find_platform(nvidia ? FATHOM_HIP_HOST32 : FATHOM_HIP_HOST64);
  if (platform.launcher == nullptr) {
    return std::make_unique<AbsentBackend>(name, platform.why_absent);
  }
  return std::make_unique<KernelBackend>(name, "cpu, SIMT executor", [&platform](auto&&... of) {
    return make_host_plan(of..., *platform.launcher);
  });
}

std::unique_ptr<worker::Backend> make_gpu_backend(std::string name, const GpuOrWhy& gpu) {
  if (gpu.gpu == nullptr) return std::make_unique<AbsentBackend>(std::move(name), gpu.why_absent);
  return std::make_unique<KernelBackend>(std::move(name), gpu.gpu->name, [&gpu](auto&&... of) {
    return make_gpu_plan(of..., *gpu.gpu);
  });
}

std::vector<std::unique_ptr<worker::Backend>> make_all_backends() {
  std::vector<std::unique_ptr<worker::Backend>> backends;
  backends.push_back(make_host_backend(Target::amd));
  backends.push_back(make_host_backend(Target::nvidia));
  backends.push_back(make_gpu_backend("hip:amd", find_gpu(Vendor::amd)));
  backends.push_back(make_gpu_backend("hip:nvidia", find_gpu(Vendor::nvidia)));
  return backends;
}

}  // namespace fathom::hip
