// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_backend.h"

#include "backends/torch/device.h"
#include "backends/torch/fa3_arithmetic.h"
#include "backends/torch/fa3_lowering.h"
#include "backends/torch/fa3_ops.h"
#include "backends/torch/fa3_plan.h"
#include "backends/torch/fa3_trial.h"
#include "harness/core/error.h"

#include <array>
#include <optional>
#include <utility>

namespace fathom::fa3 {
namespace {

/// What the op has an argument for, or a lowering an answer. Whether the build at hand has switched
/// it off is asked when a Problem wants it.
constexpr std::array tokens{
    "dtype.f16",      "dtype.bf16",  "layout.bshd", "layout.bhsd",
    "varlen",         "mask.causal", "mask.window", "mask.causal.bottom_right",
    "mask.prefix_lm", "gqa",         "dv",          "cross_lengths",
    "empty_sequence", "scale",       "backward",    "lse",
    "deterministic",
};
constexpr std::array dtypes{Dtype::f16, Dtype::bf16};

class Fa3Backend final : public worker::Backend {
 public:
  Fa3Backend(Library library, const std::string& device)
      : library_(std::move(library)), device_(device) {
    info_.name = "fa3";
    info_.device = device_.name();
    info_.absent = why_absent();
    if (!info_.absent.empty()) return;
    info_.version = library_.version + ", torch " + device_.version();
    ops_.emplace(std::string(library_.build->ops));
    for (const std::string_view lowering : lowerings) info_.lowerings.emplace_back(lowering);
    info_.features.assign(tokens.begin(), tokens.end());
    for (const Dtype dtype : dtypes) info_.arithmetic[dtype] = declared_arithmetic(dtype);
  }

  [[nodiscard]] worker::BackendInfo info() const override { return info_; }

  [[nodiscard]] std::optional<worker::Refusal> why_unsupported(
      const Problem& problem, const std::string& lowering) override {
    if (!info_.absent.empty()) return worker::Refusal{"absent", info_.absent};
    if (auto refusal = why_not_lowered(problem, lowering)) return refusal;
    if (has_backward(problem)) {
      if (const auto reason = ops_->why_no_backward()) return worker::Refusal{"backward", *reason};
    }
    return trials_.why_refused(*ops_, device_, problem, lowering);
  }

  [[nodiscard]] std::unique_ptr<worker::Plan> prepare(const Problem& problem,
                                                      const std::string& lowering,
                                                      const worker::InputViews& inputs,
                                                      const worker::OutputViews& outputs) override {
    if (const auto refusal = why_unsupported(problem, lowering)) throw Error(refusal->sentence);
    return make_plan(*ops_, device_, problem, lowering, inputs, outputs);
  }

 private:
  [[nodiscard]] std::string why_absent() const {
    if (!device_.absent().empty()) return device_.absent();
    if (library_.build == nullptr) return library_.absent;
    const std::string fwd = std::string(library_.build->ops) + "::fwd";
    const Ops ops{std::string(library_.build->ops)};
    if (!device_.is_gpu()) {
      if (ops.has_kernel(c10::DispatchKey::CPU)) return "";
      return fwd + " has no CPU kernel, and this worker computes on the CPU";
    }
    if (!ops.has_kernel(c10::DispatchKey::CUDA)) return fwd + " has no GPU kernel";
    return why_wrong_gpu(*library_.build);
  }

  [[nodiscard]] std::string why_wrong_gpu(const Build& build) const {
    const auto gpu = device_.compute_capability();
    if (!gpu) return std::string(build.ops) + " needs a GPU of NVIDIA's, not " + device_.name();
    if (*gpu >= build.oldest_gpu && *gpu <= build.newest_gpu) return "";
    return std::string(build.ops) + " is made for compute capabilities " +
           std::to_string(build.oldest_gpu) + " to " + std::to_string(build.newest_gpu) + ", and " +
           device_.name() + " has " + std::to_string(*gpu);
  }

  const Library library_;
  const sdpa::Device device_;
  worker::BackendInfo info_;
  std::optional<Ops> ops_;  ///< Empty where the backend is absent.
  Trials trials_;
};

}  // namespace

std::unique_ptr<worker::Backend> make_backend(Library library, const std::string& device) {
  return std::make_unique<Fa3Backend>(std::move(library), device);
}

}  // namespace fathom::fa3
