// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/host_plan.h"

#include "backends/hip/attention.h"
#include "harness/worker/measure.h"

namespace fathom::hip {
namespace {

TensorPlaces shared_tensors(const worker::InputViews& inputs, const worker::OutputViews& outputs) {
  TensorPlaces places;
  for (const auto& [name, view] : inputs) places[name] = const_cast<std::byte*>(view.bytes.data());
  for (const auto& [name, view] : outputs) places[name] = view.bytes.data();
  return places;
}

class HostPlan : public worker::Plan {
 public:
  HostPlan(const Problem& problem, bool two_passes, const worker::InputViews& inputs,
           const worker::OutputViews& outputs, const Launcher& launcher)
      : launcher_(launcher),
        attention_(problem, shared_tensors(inputs, outputs), memory_),
        has_backward_(has_backward(problem)),
        two_passes_(two_passes),
        outputs_(outputs) {}

  void execute() override {
    two_passes_ ? attention_.forward_in_two_passes(launcher_) : attention_.forward(launcher_);
    if (has_backward_) attention_.backward(launcher_);
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
  const Launcher& launcher_;
  HostMemory memory_;
  Attention attention_;
  bool has_backward_;
  bool two_passes_;
  worker::OutputViews outputs_;
};

}  // namespace

std::unique_ptr<worker::Plan> make_host_plan(const Problem& problem, bool two_passes,
                                             const worker::InputViews& inputs,
                                             const worker::OutputViews& outputs,
                                             const Launcher& launcher) {
  return std::make_unique<HostPlan>(problem, two_passes, inputs, outputs, launcher);
}

}  // namespace fathom::hip
