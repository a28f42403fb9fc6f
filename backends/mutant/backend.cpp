// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/backend.h"

#include "backends/mutant/kernel_backward.h"
#include "backends/mutant/kernel_forward.h"
#include "harness/worker/measure.h"

namespace fathom::mutant {
namespace {

using LastOut = std::shared_ptr<std::vector<std::byte>>;

class MutantPlan : public worker::Plan {
 public:
  MutantPlan(Problem problem, worker::InputViews inputs, worker::OutputViews outputs,
             const Seams& seams, LastOut last_out)
      : problem_(std::move(problem)),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        seams_(seams),
        last_out_(std::move(last_out)) {}

  void execute() override {
    run([this](const Call& call) {
      forward(call, stored_);
      if (has_backward(problem_)) backward(call, stored_);
    });
  }

  [[nodiscard]] std::map<TensorName, Transport> transports() const override {
    return worker::all_in_place(outputs_);
  }

  [[nodiscard]] worker::TimeAnswer time(const worker::TimeRequest& request) override {
    const auto only_forward = [this](const Call& call) { forward(call, stored_); };
    const auto only_backward = [this](const Call& call) { backward(call, stored_); };
    if (request.pass == "forward") {
      return worker::time_on_cpu(request, [&] { run(only_forward); });
    }
    if (request.pass == "backward" && has_backward(problem_)) {
      run(only_forward);  // The backward pass reads O and the LSE.
      return worker::time_on_cpu(request, [&] { run(only_backward); });
    }
    return {"cpu", {}, "the Problem has no pass '" + request.pass + "'"};
  }

  [[nodiscard]] MemoryUse memory() override {
    return worker::resident_growth([this] { execute(); }, worker::output_bytes(outputs_));
  }

 private:
  template <typename Body>
  void run(Body body) {
    const Call call{problem_, inputs_, outputs_, seams_, number_++, *last_out_};
    seams_.begin(call);
    body(call);
    seams_.end(call);
  }

  Problem problem_;
  worker::InputViews inputs_;
  worker::OutputViews outputs_;
  Seams seams_;
  StoredLse stored_;
  Index number_ = 0;
  LastOut last_out_;
};

class MutantBackend : public worker::Backend {
 public:
  MutantBackend(std::string_view name, const Seams& seams)
      : name_("mutant:" + std::string(name)), seams_(seams) {}

  [[nodiscard]] worker::BackendInfo info() const override {
    worker::BackendInfo info;
    info.name = name_;
    info.version = "1";
    info.device = "cpu";
    info.lowerings = {"native"};
    // Spelled out, not taken from the list of all tokens: a token that is new there is not honoured
    // here until someone has made it so.
    info.features = {"dtype.f32",
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
    for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
      Arithmetic arithmetic = flash_arithmetic(dtype);
      arithmetic.block_m = static_cast<int>(tile_size);
      arithmetic.block_n = static_cast<int>(tile_size);
      info.arithmetic[dtype] = arithmetic;
    }
    return info;
  }

  [[nodiscard]] std::optional<worker::Refusal> why_unsupported(
      const Problem& /*problem*/, const std::string& lowering) override {
    if (lowering == "native") return std::nullopt;
    return worker::Refusal{"lowering", name_ + " answers natively and has no lowering '" +
                                           lowering + "'; ask for native"};
  }

  [[nodiscard]] std::unique_ptr<worker::Plan> prepare(const Problem& problem,
                                                      const std::string& /*lowering*/,
                                                      const worker::InputViews& inputs,
                                                      const worker::OutputViews& outputs) override {
    return std::make_unique<MutantPlan>(problem, inputs, outputs, seams_, last_out_);
  }

 private:
  std::string name_;
  Seams seams_;
  LastOut last_out_ = std::make_shared<std::vector<std::byte>>();
};

}  // namespace

std::unique_ptr<worker::Backend> make_honest_backend() {
  return std::make_unique<MutantBackend>("honest", Seams{});
}

std::unique_ptr<worker::Backend> make_backend(const Mutant& mutant) {
  Seams seams;
  mutant.patch(seams);
  return std::make_unique<MutantBackend>(mutant.name, seams);
}

std::vector<std::unique_ptr<worker::Backend>> make_all_backends() {
  std::vector<std::unique_ptr<worker::Backend>> backends;
  backends.push_back(make_honest_backend());
  for (const Mutant& mutant : all_mutants()) backends.push_back(make_backend(mutant));
  return backends;
}

}  // namespace fathom::mutant
