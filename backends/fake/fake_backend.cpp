// SPDX-License-Identifier: Apache-2.0
#include "backends/fake/fake_backend.h"

#include "harness/worker/measure.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace fathom::fake {
namespace {

using worker::BackendInfo;
using worker::InputViews;
using worker::OutputViews;
using worker::Refusal;

const float* floats(const TensorView& view) {
  return reinterpret_cast<const float*>(view.bytes.data());
}
float* floats(const MutableTensorView& view) {
  return reinterpret_cast<float*>(view.bytes.data());
}

/// One query row of one head: softmax over the keys, then the mean of V.
void attend(const Problem& p, const float* q, const float* k, const float* v, Index row_stride_k,
            Index row_stride_v, Index keys, float* o, float* lse) {
  std::vector<double> weights(static_cast<std::size_t>(keys));
  double sum = 0;
  for (Index j = 0; j < keys; ++j) {
    double score = 0;
    for (Index c = 0; c < p.head_dim; ++c) score += double{q[c]} * k[j * row_stride_k + c];
    weights[static_cast<std::size_t>(j)] = std::exp(score * softmax_scale(p));
    sum += weights[static_cast<std::size_t>(j)];
  }
  for (Index c = 0; c < p.value_dim; ++c) {
    double mean = 0;
    for (Index j = 0; j < keys; ++j) {
      mean += weights[static_cast<std::size_t>(j)] * v[j * row_stride_v + c];
    }
    o[c] = static_cast<float>(mean / sum);
  }
  if (lse != nullptr) *lse = static_cast<float>(std::log(sum));
}

class FakePlan : public worker::Plan {
 public:
  FakePlan(const Problem& problem, const InputViews& inputs, const OutputViews& outputs,
           Damage damage)
      : problem_(problem),
        inputs_(inputs),
        outputs_(outputs),
        damage_(problem.head_dim == trigger_head_dim ? damage : Damage::none) {}

  void execute() override {
    if (damage_ == Damage::raise) throw std::runtime_error("planted: the backend raises");
    if (damage_ == Damage::out_of_memory) throw worker::OutOfMemory("planted: 2 GiB asked");
    if (damage_ == Damage::unwritten) return;
    run();
    spoil();
  }

  [[nodiscard]] std::map<TensorName, Transport> transports() const override {
    return worker::all_in_place(outputs_);
  }

  [[nodiscard]] worker::TimeAnswer time(const worker::TimeRequest& request) override {
    // Scripted, so that statistics and reports can be tested to the digit.
    worker::TimeAnswer answer{"cpu", {}, ""};
    if (request.pass != "forward" && request.pass != "backward") {
      answer.reason = "no pass '" + request.pass + "'";
      return answer;
    }
    for (Index i = 0; i < request.samples; ++i) {
      answer.samples_ns.push_back(1e6 + 1e3 * static_cast<double>(i));
    }
    return answer;
  }

  [[nodiscard]] MemoryUse memory() override {
    return {Index{4096}, "resident", "", worker::output_bytes(outputs_)};
  }

 private:
  void run() {
    const Index dropped = damage_ == Damage::off_by_one_key ? 1 : 0;
    const auto lse = outputs_.find(TensorName::lse);
    for (Index s = 0; s < static_cast<Index>(problem_.sequences.size()); ++s) {
      for (Index h = 0; h < problem_.query_heads; ++h) {
        const Index kv = h / (problem_.query_heads / problem_.kv_heads);
        const HeadView q = head_view(problem_, TensorName::q, s, h);
        const HeadView k = head_view(problem_, TensorName::k, s, kv);
        const HeadView v = head_view(problem_, TensorName::v, s, kv);
        const HeadView o = head_view(problem_, TensorName::o, s, h);
        const HeadView l = head_view(problem_, TensorName::lse, s, h);
        for (Index i = 0; i < q.rows; ++i) {
          attend(
              problem_, floats(inputs_.at(TensorName::q)) + q.offset + i * q.row_stride,
              floats(inputs_.at(TensorName::k)) + k.offset,
              floats(inputs_.at(TensorName::v)) + v.offset, k.row_stride, v.row_stride,
              k.rows - dropped, floats(outputs_.at(TensorName::o)) + o.offset + i * o.row_stride,
              lse == outputs_.end() ? nullptr : floats(lse->second) + l.offset + i * l.row_stride);
        }
      }
    }
  }

  void spoil() {
    const MutableTensorView& o = outputs_.at(TensorName::o);
    switch (damage_) {
      case Damage::zeros: std::memset(o.bytes.data(), 0, o.bytes.size()); break;
      case Damage::nan: floats(o)[3] = std::numeric_limits<float>::quiet_NaN(); break;
      case Damage::guard_before: floats(o)[-5] = 1; break;
      case Damage::guard_behind: floats(o)[element_count(o.spec) + 7] = 1; break;
      case Damage::mutate_input:
        // The views are read-only by promise only: the memory is writable, as a GPU's is.
        const_cast<float*>(floats(inputs_.at(TensorName::k)))[0] += 1;
        break;
      default: break;
    }
  }

  Problem problem_;
  InputViews inputs_;
  OutputViews outputs_;
  Damage damage_;
};

class FakeBackend : public worker::Backend {
 public:
  explicit FakeBackend(Damage damage) : damage_(damage) {}

  [[nodiscard]] BackendInfo info() const override {
    return {"fake",
            "1",
            "cpu",
            "",
            {"native"},
            {"dtype.f32", "layout.bshd", "cross_lengths", "gqa", "dv", "lse"},
            {{Dtype::f32, upcast_arithmetic(Dtype::f32)}}};
  }
  [[nodiscard]] std::optional<Refusal> why_unsupported(const Problem& /*problem*/,
                                                       const std::string& /*lowering*/) override {
    return std::nullopt;
  }
  [[nodiscard]] std::unique_ptr<worker::Plan> prepare(const Problem& problem,
                                                      const std::string& /*lowering*/,
                                                      const InputViews& inputs,
                                                      const OutputViews& outputs) override {
    return std::make_unique<FakePlan>(problem, inputs, outputs, damage_);
  }

 private:
  Damage damage_;
};

}  // namespace

std::unique_ptr<worker::Backend> make_fake_backend(Damage damage) {
  return std::make_unique<FakeBackend>(damage);
}

}  // namespace fathom::fake
