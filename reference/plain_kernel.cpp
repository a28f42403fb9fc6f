// SPDX-License-Identifier: Apache-2.0
#include "reference/kernel_entries.h"
#include "reference/kernel_math.h"

namespace fathom::reference::FATHOM_ISA {
namespace {

using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The dense steps of a framework without a fused kernel: each product accumulates in fp32 and is
/// rounded to the Problem's dtype when it is stored.
class PlainPass {
 public:
  explicit PlainPass(const PlainTask& task) : task_(task) {}
  void run();

 private:
  [[nodiscard]] Floats load(const Rows& rows) const {
    return view(rows, 0, rows.rows).cast<float>();
  }
  void round(Floats& x) const;
  void softmax();
  void softmax_backward();
  void put(const Floats& x, const Answer& answer) const;

  const PlainTask& task_;
  Floats p_, ds_;
};

void PlainPass::round(Floats& x) const {
  for (Index i = 0; i < x.size(); ++i) {
    const double value = x.data()[i];
    const double rounded = round_to_grid(task_.grid, value);
    const double top = task_.largest;
    x.data()[i] =
        static_cast<float>(std::abs(rounded) > top ? std::copysign(HUGE_VAL, value) : rounded);
  }
}

void PlainPass::softmax() {
  for (Index r = 0; r < p_.rows(); ++r) {
    const Interval& visible = task_.visible[r];
    const Index count = visible.end - visible.begin;
    auto row = p_.row(r).array();
    if (count <= 0) {
      row = 0;
      continue;
    }
    auto seen = row.segment(visible.begin, count);
    const float max = seen.maxCoeff();
    seen = (seen - max).exp();
    seen /= seen.sum();
    row.head(visible.begin) = 0;
    row.tail(row.size() - visible.end) = 0;
  }
  round(p_);
}

/// dS = P (dP - sum P dP + dLSE), with dP in ds_.
void PlainPass::softmax_backward() {
  for (Index r = 0; r < p_.rows(); ++r) {
    const float dot = p_.row(r).dot(ds_.row(r));
    const double dlse = task_.dlse.data == nullptr ? 0 : task_.dlse.data[r * task_.dlse.stride];
    ds_.row(r).array() = p_.row(r).array() * (ds_.row(r).array() - dot + static_cast<float>(dlse));
  }
  round(ds_);
}

void PlainPass::put(const Floats& x, const Answer& answer) const {
  for (Index r = 0; r < x.rows(); ++r)
    for (Index c = 0; c < x.cols(); ++c) answer.value[r * answer.stride + c] = x(r, c);
}

void PlainPass::run() {
  const auto product = [this](const auto& expression) {
    Floats result = expression;
    round(result);
    return result;
  };
  const auto q_scale = static_cast<float>(task_.query_scale);
  const auto k_scale = static_cast<float>(task_.key_scale);
  const Floats q = product(q_scale * load(task_.q));
  const Floats v = load(task_.v);
  const Floats k = product(k_scale * load(task_.k));
  p_ = product(q * k.transpose());
  softmax();
  put(product(p_ * v), task_.o);
  if (!task_.backward) return;
  const Floats dout = load(task_.dout);
  put(product(p_.transpose() * dout), task_.dv);
  ds_ = product(dout * v.transpose());
  softmax_backward();
  put(product(q_scale * product(ds_ * k)), task_.dq);
  put(product(k_scale * product(ds_.transpose() * q)), task_.dk);
}

}  // namespace

void plain_pass(const PlainTask& task) {
  PlainPass(task).run();
}

}  // namespace fathom::reference::FATHOM_ISA
