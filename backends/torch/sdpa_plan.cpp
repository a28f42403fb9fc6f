// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/sdpa_plan.h"

#include "backends/torch/attention.h"
#include "backends/torch/tensors.h"
#include "backends/torch/torch_error.h"

#include <ATen/core/Tensor.h>

namespace fathom::sdpa {
namespace {

/// The memory-efficient and cuDNN kernels want a mask whose rows are aligned to 16 elements.
Index mask_align(const Device& device) {
  return device.is_gpu() ? 16 : 1;
}

/// One call of the op: its operands on the device, and where its results go.
struct Part {
  Operands operands;
  at::Tensor output, logsumexp;  ///< Views of the shared outputs.
  Gradients gradients;
};

class SdpaPlan final : public worker::Plan {
 public:
  SdpaPlan(const Variant& variant, const Device& device, const Problem& problem,
           const Lowering& lowering, const worker::InputViews& inputs,
           const worker::OutputViews& outputs)
      : variant_(variant),
        device_(device),
        problem_(problem),
        attention_(variant, has_backward(problem)) {
    for (const auto& [name, view] : inputs) inputs_[name] = share(view).to(device.where());
    for (const auto& [name, view] : outputs) {
      outputs_[name] = share(view);
      output_bytes_ += static_cast<Index>(view.bytes.size());
    }
    for (const Call& call : lower(problem, lowering)) {
      parts_.push_back(make_part(call, lowering));
    }
    device_.synchronize();
  }

  void execute() override {
    with_torchs_words([&] {
      for (Part& part : parts_) answer(part);
      device_.synchronize();
    });
  }

  [[nodiscard]] std::map<TensorName, Transport> transports() const override {
    std::map<TensorName, Transport> transports;
    for (const auto& [name, tensor] : outputs_) {
      const bool given = name != TensorName::lse || variant_.gives_lse;
      transports[name] = given ? Transport::copied : Transport::not_given;
    }
    return transports;
  }

  [[nodiscard]] worker::TimeAnswer time(const worker::TimeRequest& request) override {
    return with_torchs_words([&]() -> worker::TimeAnswer {
      if (request.pass == "forward") return device_.time(request, [&] { (void)run_forward(); });
      if (request.pass != "backward" || !has_backward(problem_)) {
        return {.mode = "", .samples_ns = {}, .reason = "this Problem has no pass " + request.pass};
      }
      const std::vector<Forward> forwards = run_forward();
      return device_.time(request, [&] { run_backward(forwards, true); });
    });
  }

  [[nodiscard]] MemoryUse memory() override {
    return with_torchs_words([&] {
      return device_.memory(
          [&] {
            const std::vector<Forward> forwards = run_forward();
            if (has_backward(problem_)) run_backward(forwards, false);
          },
          output_bytes_);
    });
  }

 private:
  [[nodiscard]] at::Tensor slice(std::map<TensorName, at::Tensor>& tensors, TensorName name,
                                 const Call& call, Rows rows) {
    const auto whole = tensors.find(name);
    if (whole == tensors.end()) return {};
    return rows_of(whole->second, problem_.layout, call, rows);
  }

  Part make_part(const Call& call, const Lowering& lowering) {
    Part part;
    Operands& operands = part.operands;
    // Each part is a leaf of its own, so that autograd returns the gradient of just its rows.
    const bool leaf = has_backward(problem_) && variant_.backward.empty();
    const auto input = [&](TensorName name, Rows rows) {
      return slice(inputs_, name, call, rows).detach().requires_grad_(leaf);
    };
    operands.query = input(TensorName::q, Rows::queries);
    operands.key = input(TensorName::k, Rows::keys);
    operands.value = input(TensorName::v, Rows::keys);
    operands.grad_out = slice(inputs_, TensorName::dout, call, Rows::queries);
    operands.is_causal = call.is_causal;
    operands.grouped = problem_.kv_heads != problem_.query_heads;
    operands.scale = problem_.softmax_scale;
    if (lowering.dense_mask) {
      operands.mask = additive_mask(problem_, call, mask_align(device_)).to(device_.where());
      if (device_.is_gpu()) {
        operands.mask = operands.mask->expand(
            {call.count, problem_.query_heads, call.query_length, call.key_length});
      }
    }
    part.output = slice(outputs_, TensorName::o, call, Rows::queries);
    part.gradients = {slice(outputs_, TensorName::dq, call, Rows::queries),
                      slice(outputs_, TensorName::dk, call, Rows::keys),
                      slice(outputs_, TensorName::dv, call, Rows::keys)};
    if (const auto lse = outputs_.find(TensorName::lse); lse != outputs_.end()) {
      part.logsumexp = lse_rows_of(lse->second, problem_.layout, call);
    }
    return part;
  }

  void answer(Part& part) const {
    const Forward forward = attention_.forward(part.operands);
    part.output.copy_(forward.output.detach());
    if (part.logsumexp.defined() && variant_.gives_lse) part.logsumexp.copy_(forward.logsumexp);
    if (!has_backward(problem_)) return;
    const Gradients gradients = attention_.backward(part.operands, forward, false);
    part.gradients.query.copy_(gradients.query);
    part.gradients.key.copy_(gradients.key);
    part.gradients.value.copy_(gradients.value);
  }

  [[nodiscard]] std::vector<Forward> run_forward() const {
    std::vector<Forward> forwards;
    for (const Part& part : parts_) forwards.push_back(attention_.forward(part.operands));
    return forwards;
  }

  void run_backward(const std::vector<Forward>& forwards, bool keep) const {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      (void)attention_.backward(parts_[i].operands, forwards[i], keep);
    }
  }

  const Variant& variant_;
  const Device& device_;
  const Problem problem_;
  const Attention attention_;
  std::map<TensorName, at::Tensor> inputs_;   ///< On the device.
  std::map<TensorName, at::Tensor> outputs_;  ///< The shared bytes.
  std::vector<Part> parts_;
  Index output_bytes_ = 0;
};

}  // namespace

std::unique_ptr<worker::Plan> make_plan(const Variant& variant, const Device& device,
                                        const Problem& problem, const Lowering& lowering,
                                        const worker::InputViews& inputs,
                                        const worker::OutputViews& outputs) {
  return with_torchs_words([&] {
    return std::make_unique<SdpaPlan>(variant, device, problem, lowering, inputs, outputs);
  });
}

}  // namespace fathom::sdpa
