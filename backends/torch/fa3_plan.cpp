// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_plan.h"

#include "backends/torch/fa3_lowering.h"
#include "backends/torch/tensors.h"
#include "backends/torch/torch_error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <limits>

namespace fathom::fa3 {
namespace {

/// A tensor of the Problem, seen as the op wants it: rows before heads, and one row of tokens where
/// sequences are packed. Never a copy.
at::Tensor as_the_op_sees(const at::Tensor& tensor, Layout layout, bool packed) {
  const at::Tensor rows_first = layout == Layout::bhsd ? tensor.transpose(1, 2) : tensor;
  if (!packed || layout == Layout::thd) return rows_first;
  const auto sizes = rows_first.sizes();
  return rows_first.view({sizes[0] * sizes[1], sizes[2], sizes[3]});
}

at::Tensor lengths(const std::vector<Index>& numbers, c10::Device where) {
  return numbers.empty() ? at::Tensor() : at::tensor(numbers, at::kInt).to(where);
}

std::optional<Index> longest_if_packed(const Call& call, Index longest) {
  return call.cu_seqlens_q.empty() ? std::nullopt : std::optional(longest);
}

/// What a buffer holds before the op writes it.
enum class Before : std::uint8_t {
  anything,
  nan,  ///< So that a row which is never written does not pass for an answer.
};

at::Tensor make_buffer(at::IntArrayRef sizes, const at::TensorOptions& options, Before before) {
  return before == Before::nan ? at::full(sizes, std::numeric_limits<double>::quiet_NaN(), options)
                               : at::empty(sizes, options);
}

class Fa3Plan final : public worker::Plan {
 public:
  Fa3Plan(const Ops& ops, const sdpa::Device& device, const Problem& problem,
          std::string_view lowering, const worker::InputViews& inputs,
          const worker::OutputViews& outputs)
      : ops_(ops),
        device_(device),
        problem_(problem),
        packed_(problem.layout == Layout::thd || lowering == two_pass) {
    for (const auto& [name, view] : inputs) {
      inputs_[name] = op_view(sdpa::share(view).to(device.where()));
    }
    for (const auto& [name, view] : outputs) {
      outputs_[name] = sdpa::share(view);
      output_bytes_ += static_cast<Index>(view.bytes.size());
    }
    for (const Call& call : lower(problem, lowering)) passes_.push_back(operands(call));
    device_.synchronize();
  }

  void execute() override {
    sdpa::with_torchs_words([&] {
      const std::vector<Forward> forwards = run_forward(Before::nan);
      answer(TensorName::o, forwards.front().output);
      if (outputs_.contains(TensorName::lse)) answer_lse(forwards);
      if (has_backward(problem_)) {
        const Gradients gradients = run_backward(forwards, Before::nan);
        answer(TensorName::dq, gradients.query);
        answer(TensorName::dk, gradients.key);
        answer(TensorName::dv, gradients.value);
      }
      device_.synchronize();
    });
  }

  [[nodiscard]] std::map<TensorName, Transport> transports() const override {
    std::map<TensorName, Transport> transports;
    for (const auto& [name, tensor] : outputs_) transports[name] = Transport::copied;
    return transports;
  }

  [[nodiscard]] worker::TimeAnswer time(const worker::TimeRequest& request) override {
    return sdpa::with_torchs_words([&]() -> worker::TimeAnswer {
      if (request.pass == "forward") {
        return device_.time(request, [&] { (void)run_forward(Before::anything); });
      }
      if (request.pass != "backward" || !has_backward(problem_)) {
        return {.mode = "", .samples_ns = {}, .reason = "this Problem has no pass " + request.pass};
      }
      const std::vector<Forward> forwards = run_forward(Before::anything);
      return device_.time(request, [&] { (void)run_backward(forwards, Before::anything); });
    });
  }

  [[nodiscard]] MemoryUse memory() override {
    return sdpa::with_torchs_words([&] {
      return device_.memory(
          [&] {
            const std::vector<Forward> forwards = run_forward(Before::anything);
            if (has_backward(problem_)) (void)run_backward(forwards, Before::anything);
          },
          output_bytes_);
    });
  }

 private:
  [[nodiscard]] at::Tensor op_view(const at::Tensor& tensor) const {
    return tensor.dim() < 3 ? tensor : as_the_op_sees(tensor, problem_.layout, packed_);
  }

  [[nodiscard]] Operands operands(const Call& call) const {
    Operands o;
    o.query = inputs_.at(TensorName::q);
    o.key = inputs_.at(TensorName::k);
    o.value = inputs_.at(TensorName::v);
    if (has_backward(problem_)) o.grad_out = inputs_.at(TensorName::dout);
    o.cu_seqlens_q = lengths(call.cu_seqlens_q, device_.where());
    o.cu_seqlens_k = lengths(call.cu_seqlens_k, device_.where());
    o.seqused_q = lengths(call.seqused_q, device_.where());
    o.seqused_k = lengths(call.seqused_k, device_.where());
    o.max_seqlen_q = longest_if_packed(call, call.max_seqlen_q);
    o.max_seqlen_k = longest_if_packed(call, call.max_seqlen_k);
    o.scale = problem_.softmax_scale;
    o.is_causal = call.is_causal;
    o.window_left = call.window_left;
    o.window_right = call.window_right;
    o.deterministic = problem_.deterministic;
    return o;
  }

  /// One result per pass, or one without an LSE where there is no query; they share their output.
  [[nodiscard]] std::vector<Forward> run_forward(Before before) const {
    const at::Tensor& query = inputs_.at(TensorName::q);
    std::vector<Index> sizes = query.sizes().vec();
    sizes.back() = problem_.value_dim;
    const at::Tensor output = make_buffer(sizes, query.options(), before);
    if (passes_.empty()) return {{output, {}}};
    std::vector<Forward> forwards;
    for (const Operands& pass : passes_) forwards.push_back({output, ops_.forward(pass, output)});
    return forwards;
  }

  /// dQ row by row from the pass that has the query; dK and dV added over the passes, in the
  /// tensors' dtype, as HRM-Text does.
  [[nodiscard]] Gradients run_backward(const std::vector<Forward>& forwards, Before before) const {
    const at::Tensor& query = inputs_.at(TensorName::q);
    const at::Tensor& key = inputs_.at(TensorName::k);
    const at::Tensor& value = inputs_.at(TensorName::v);
    Gradients sum{make_buffer(query.sizes(), query.options(), before), {}, {}};
    for (std::size_t i = 0; i < passes_.size(); ++i) {
      // Where a pass does not use every key, rows of dK and dV stay as they are.
      const auto make = [&](const at::Tensor& like) {
        return passes_[i].seqused_k.defined() ? at::zeros(like.sizes(), like.options())
                                              : make_buffer(like.sizes(), like.options(), before);
      };
      const Gradients part{sum.query, make(key), make(value)};
      ops_.backward(passes_[i], forwards[i], part);
      sum.key = i == 0 ? part.key : sum.key + part.key;
      sum.value = i == 0 ? part.value : sum.value + part.value;
    }
    if (passes_.empty()) {
      sum.key = at::zeros(key.sizes(), key.options());
      sum.value = at::zeros(value.sizes(), value.options());
    }
    return sum;
  }

  void answer(TensorName name, const at::Tensor& result) {
    op_view(outputs_.at(name)).copy_(result);
  }

  /// Each query's LSE from the pass that has the query.
  void answer_lse(const std::vector<Forward>& forwards) {
    at::Tensor lse = forwards.front().lse;
    if (!lse.defined()) return;
    if (forwards.size() == 2) lse = at::where(rows_of(passes_[1]), forwards[1].lse, lse);
    const at::Tensor& into = outputs_.at(TensorName::lse);
    if (packed_ && problem_.layout != Layout::thd) {  // (H, B S) to (B, H, S)
      lse = lse.view({into.size(1), into.size(0), into.size(2)}).transpose(0, 1);
    }
    into.copy_(lse);
  }

  /// Which of the packed tokens are queries of the pass.
  [[nodiscard]] at::Tensor rows_of(const Operands& pass) const {
    at::Tensor rows = at::zeros({pass.query.size(0)}, at::kBool);
    const at::Tensor begins = pass.cu_seqlens_q.cpu();
    const at::Tensor counts = pass.seqused_q.cpu();
    for (Index i = 0; i < counts.size(0); ++i) {
      rows.narrow(0, begins[i].item<Index>(), counts[i].item<Index>()).fill_(true);
    }
    return rows.to(device_.where());
  }

  const Ops& ops_;
  const sdpa::Device& device_;
  const Problem problem_;
  const bool packed_;
  std::map<TensorName, at::Tensor> inputs_;   ///< On the device, as the op sees them.
  std::map<TensorName, at::Tensor> outputs_;  ///< The shared bytes.
  std::vector<Operands> passes_;
  Index output_bytes_ = 0;
};

}  // namespace

std::unique_ptr<worker::Plan> make_plan(const Ops& ops, const sdpa::Device& device,
                                        const Problem& problem, std::string_view lowering,
                                        const worker::InputViews& inputs,
                                        const worker::OutputViews& outputs) {
  return sdpa::with_torchs_words(
      [&] { return std::make_unique<Fa3Plan>(ops, device, problem, lowering, inputs, outputs); });
}

}  // namespace fathom::fa3
