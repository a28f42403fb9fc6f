// SPDX-License-Identifier: Apache-2.0
#include "backends/eigen/backend.h"

#include "backends/eigen/attention.h"
#include "harness/worker/measure.h"

#include <Eigen/Core>

namespace fathom::eigen {
namespace {

class EigenPlan : public worker::Plan {
 public:
  EigenPlan(Problem problem, worker::InputViews inputs, worker::OutputViews outputs)
      : problem_(std::move(problem)), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

  void execute() override {
    forward(problem_, inputs_, outputs_);
    if (has_backward(problem_)) backward(problem_, inputs_, outputs_);
  }

  [[nodiscard]] std::map<TensorName, Transport> transports() const override {
    return worker::all_in_place(outputs_);
  }

  [[nodiscard]] worker::TimeAnswer time(const worker::TimeRequest& request) override {
    if (request.pass == "forward") {
      return worker::time_on_cpu(request, [this] { forward(problem_, inputs_, outputs_); });
    }
    if (request.pass == "backward" && has_backward(problem_)) {
      return worker::time_on_cpu(request, [this] { backward(problem_, inputs_, outputs_); });
    }
    return {"cpu", {}, "the Problem has no pass '" + request.pass + "'"};
  }

  [[nodiscard]] MemoryUse memory() override {
    return worker::resident_growth([this] { execute(); }, worker::output_bytes(outputs_));
  }

 private:
  Problem problem_;
  worker::InputViews inputs_;
  worker::OutputViews outputs_;
};

/// Eigen's products add a whole depth block into one register: (32 KiB of L1 - 128) / (8 lhs + 4
/// rhs floats) = 680 terms of four bytes. Gradients of keys add up tiles of 128 query rows.
Arithmetic arithmetic(Dtype dtype) {
  Arithmetic arithmetic = upcast_arithmetic(dtype);
  arithmetic.block_m = 128;
  arithmetic.block_n = 680;
  arithmetic.link =
      "https://gitlab.com/libeigen/eigen/-/blob/3.4.0/Eigen/src/Core/products/"
      "GeneralBlockPanelKernel.h";
  return arithmetic;
}

class EigenBackend : public worker::Backend {
 public:
  [[nodiscard]] worker::BackendInfo info() const override {
    worker::BackendInfo info;
    info.name = "eigen";
    info.version = std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) +
                   "." + std::to_string(EIGEN_MINOR_VERSION);
    info.device = "cpu";
    info.lowerings = {"native"};
    // Spelled out, not taken from the list of all tokens: a token that is new there is not honoured
    // here until someone has made it so.
    info.features = {"dtype.f64",
                     "dtype.f32",
                     "dtype.f16",
                     "dtype.bf16",
                     "layout.bshd",
                     "layout.bhsd",
                     "varlen",
                     "mask.causal",
                     "mask.causal.top_left",
                     "mask.causal.bottom_right",
                     "mask.window",
                     "mask.prefix_lm",
                     "mask.document",
                     "gqa",
                     "dv",
                     "cross_lengths",
                     "empty_sequence",
                     "scale",
                     "backward",
                     "lse",
                     "dlse",
                     "deterministic"};
    for (const DtypeInfo& row : dtypes) info.arithmetic[row.dtype] = arithmetic(row.dtype);
    return info;
  }

  [[nodiscard]] std::optional<worker::Refusal> why_unsupported(
      const Problem& /*problem*/, const std::string& lowering) override {
    if (lowering == "native") return std::nullopt;
    return worker::Refusal{"lowering", "eigen answers natively and has no lowering '" + lowering +
                                           "'; ask for native"};
  }

  [[nodiscard]] std::unique_ptr<worker::Plan> prepare(const Problem& problem,
                                                      const std::string& /*lowering*/,
                                                      const worker::InputViews& inputs,
                                                      const worker::OutputViews& outputs) override {
    return std::make_unique<EigenPlan>(problem, inputs, outputs);
  }
};

}  // namespace

std::unique_ptr<worker::Backend> make_backend() {
  return std::make_unique<EigenBackend>();
}

}  // namespace fathom::eigen
