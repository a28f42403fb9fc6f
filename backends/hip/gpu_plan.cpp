// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/gpu_plan.h"

#include "backends/hip/attention.h"
#include "harness/worker/measure.h"

#include <functional>
#include <new>

namespace fathom::hip {
namespace {

/// Twice the last-level cache of any GPU of today (MI300X: 256 MB of Infinity Cache).
constexpr std::size_t flush_bytes = std::size_t{640} << 20;

/// What the GPU has no memory for is a verdict of its own.
template <typename Body>
auto or_out_of_memory(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    throw worker::OutOfMemory("the GPU has no memory left for this Problem");
  }
}

class GpuPlan : public worker::Plan {
 public:
  GpuPlan(const Problem& problem, bool two_passes, const worker::InputViews& inputs,
          const worker::OutputViews& outputs, const Gpu& gpu)
      : gpu_(gpu),
        attention_(problem, copy_tensors(inputs, outputs), gpu.memory),
        has_backward_(has_backward(problem)),
        two_passes_(two_passes),
        outputs_(outputs) {}

  void execute() override {
    forward();
    if (has_backward_) attention_.backward(gpu_.launcher);
    for (const auto& [name, view] : outputs_) {
      gpu_.memory.download(view.bytes.data(), tensors_.at(name).data(), view.bytes.size());
    }
  }

  [[nodiscard]] std::map<TensorName, Transport> transports() const override {
    std::map<TensorName, Transport> transports;
    for (const auto& [name, view] : outputs_) transports[name] = Transport::copied;
    return transports;
  }

  [[nodiscard]] worker::TimeAnswer time(const worker::TimeRequest& request) override {
    if (request.pass == "forward") return time_of(request, [this] { forward(); });
    if (request.pass != "backward" || !has_backward_) {
      return {.mode = "", .samples_ns = {}, .reason = "this Problem has no pass " + request.pass};
    }
    forward();
    return time_of(request, [this] { attention_.backward(gpu_.launcher); });
  }

  [[nodiscard]] MemoryUse memory() override {
    const Index output_bytes = worker::output_bytes(outputs_);
    return {.peak_bytes = output_bytes + static_cast<Index>(attention_.workspace_bytes()),
            .method = "allocator",
            .reason = "",
            .output_bytes = output_bytes};
  }

 private:
  /// The inputs on the GPU, and room for the outputs there.
  TensorPlaces copy_tensors(const worker::InputViews& inputs, const worker::OutputViews& outputs) {
    TensorPlaces places;
    const auto place = [&](TensorName name, std::size_t bytes) {
      places[name] = tensors_.emplace(name, Buffer(gpu_.memory, bytes)).first->second.data();
      return places[name];
    };
    for (const auto& [name, view] : inputs) {
      gpu_.memory.upload(place(name, view.bytes.size()), view.bytes.data(), view.bytes.size());
    }
    for (const auto& [name, view] : outputs) place(name, view.bytes.size());
    return places;
  }

  void forward() const {
    two_passes_ ? attention_.forward_in_two_passes(gpu_.launcher)
                : attention_.forward(gpu_.launcher);
  }

  worker::TimeAnswer time_of(const worker::TimeRequest& request,
                             const std::function<void()>& body) const {
    const Buffer flush =
        or_out_of_memory([&] { return Buffer(gpu_.memory, request.cold ? flush_bytes : 1); });
    body();
    worker::TimeAnswer answer{.mode = "event", .samples_ns = {}, .reason = ""};
    for (Index i = 0; i < request.samples; ++i) {
      // The flush also keeps the queue busy while the host launches the body.
      if (request.cold) gpu_.memory.clear(flush.data(), flush.bytes());
      gpu_.stopwatch.start();
      body();
      answer.samples_ns.push_back(gpu_.stopwatch.stop_ns());
    }
    return answer;
  }

  const Gpu& gpu_;
  std::map<TensorName, Buffer> tensors_;
  Attention attention_;
  bool has_backward_;
  bool two_passes_;
  worker::OutputViews outputs_;
};

}  // namespace

std::unique_ptr<worker::Plan> make_gpu_plan(const Problem& problem, bool two_passes,
                                            const worker::InputViews& inputs,
                                            const worker::OutputViews& outputs, const Gpu& gpu) {
  return or_out_of_memory([&]() -> std::unique_ptr<worker::Plan> {
    return std::make_unique<GpuPlan>(problem, two_passes, inputs, outputs, gpu);
  });
}

}  // namespace fathom::hip
