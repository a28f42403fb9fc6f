// SPDX-License-Identifier: Apache-2.0
#include "reference/kernel_entries.h"
#include "reference/kernel_math.h"

namespace fathom::reference::FATHOM_ISA {
namespace {

/// A block of keys against every query that sees one of them, head by head of the group, in
/// tiles of query_step queries whose scores are computed anew.
class KeyPass {
 public:
  explicit KeyPass(const KeyTask& task);
  void run();

 private:
  void add_head(const GroupHead& head);
  void add_queries(const GroupHead& head, Index begin, Index count);
  void score(const GroupHead& head, Index begin, Index count);
  void weigh(const GroupHead& head, Index begin, Index count);
  void weigh_row(Index r, const RowState& row, Index first, Index last);
  void put();

  const KeyTask& task_;
  const ErrorModel& model_;
  const Index keys_;
  const Chain chain_;  ///< Of a kernel that walks over the queries.
  const PairModel pair_;
  Matrix k_, v_, k2_, v2_;
  Matrix s_, spread_, dp_, dp2_, p_, ds_, p_all_, ds_all_, q_, q2_, dout2_;  // One tile.
  Matrix dk_head_, dv_head_, dk_, dv_, dk_var_, dv_var_;
  bool touched_ = false;
};

KeyPass::KeyPass(const KeyTask& task)
    : task_(task),
      model_(*task.model),
      keys_(task.end - task.begin),
      chain_(chain(task.query_count, model_.block_m)),
      pair_(pair_model(model_, task.k.channels, task.v.channels)),
      k_(view(task.k, task.begin, keys_)),
      v_(view(task.v, task.begin, keys_)) {
  dk_ = dk_var_ = Matrix::Zero(keys_, k_.cols());
  dv_ = dv_var_ = Matrix::Zero(keys_, v_.cols());
  if (!model_.sigma) return;
  k2_ = 0.5 * static_cast<double>(k_.cols()) * k_.cwiseAbs2();
  v2_ = v_.cwiseAbs2();
}

void KeyPass::score(const GroupHead& head, Index begin, Index count) {
  const View dout = view(head.dout, begin, count);
  q_ = view(head.q, begin, count) * task_.scale;
  s_.noalias() = q_ * k_.transpose();
  dp_.noalias() = dout * v_.transpose();
  if (!model_.sigma) return;
  q2_ = q_.cwiseAbs2();
  dout2_ = dout.cwiseAbs2();
  spread_.noalias() = q2_ * k2_.transpose();
  dp2_.noalias() = dout2_ * v2_.transpose();
}

/// p, dS, and the weights of dO^2 in the variance of dV, of q^2 in that of dK.
void KeyPass::weigh_row(Index r, const RowState& row, Index first, Index last) {
  auto scores = s_.row(r).segment(first, last - first).array();
  p_.row(r).segment(first, last - first).array() = (scores - row.lse).exp();
  const double* s = &s_(r, 0);
  const double* dp = &dp_(r, 0);
  const double* p = &p_(r, 0);
  double* ds = &ds_(r, 0);
  for (Index j = first; j < last; ++j) ds[j] = p[j] * (dp[j] - row.delta);
  if (!model_.sigma) return;
  const double chained = 0.5 * chain_.block * model_.kappa_grad_sum + model_.kappa_grad_operand;
  const PairModel pair = pair_;
  const double* spread = &spread_(r, 0);
  const double* dp2 = &dp2_(r, 0);
  double* p_all = &p_all_(r, 0);
  double* ds_all = &ds_all_(r, 0);
  for (Index j = first; j < last; ++j) {
    const double relative = relative_var(pair, s[j], spread[j], row);
    const double p2 = p[j] * p[j];
    p_all[j] = pair.round_var * square(ulp(pair.p, p[j])) + (relative + chained) * p2 +
               square(model_.smallest_exp);
    ds_all[j] = ds_var(pair, p[j], ds[j], relative, dp2[j]) + p2 * row.delta_var +
                chained * ds[j] * ds[j] + square(model_.smallest_exp * (dp[j] - row.delta));
  }
}

void KeyPass::weigh(const GroupHead& head, Index begin, Index count) {
  for (Matrix* tile : {&p_, &ds_, &p_all_, &ds_all_}) *tile = Matrix::Zero(count, keys_);
  for (Index r = 0; r < count; ++r) {
    const Interval& visible = task_.visible[begin + r];
    const Index first = most(visible.begin, task_.begin) - task_.begin;
    const Index last = least(visible.end, task_.end) - task_.begin;
    if (first < last) weigh_row(r, head.states[begin + r], first, last);
  }
}

void KeyPass::add_queries(const GroupHead& head, Index begin, Index count) {
  const Interval seen = hull(task_.visible, begin, begin + count);
  if (most(seen.begin, task_.begin) >= least(seen.end, task_.end)) return;
  touched_ = true;
  score(head, begin, count);
  weigh(head, begin, count);
  dv_head_.noalias() += p_.transpose() * view(head.dout, begin, count);
  dk_head_.noalias() += ds_.transpose() * q_;
  if (!model_.sigma) return;
  dv_var_.noalias() += p_all_.transpose() * dout2_;
  dk_var_.noalias() += ds_all_.transpose() * q2_;
}

void KeyPass::add_head(const GroupHead& head) {
  dk_head_ = Matrix::Zero(keys_, k_.cols());
  dv_head_ = Matrix::Zero(keys_, v_.cols());
  for (Index begin = 0; begin < task_.query_count; begin += query_step)
    add_queries(head, begin, least(query_step, task_.query_count - begin));
  dk_ += dk_head_;
  dv_ += dv_head_;
  const double chained = model_.kappa_grad_sum * (chain_.block + chain_.blocks) / 3;
  dk_var_ += chained * dk_head_.cwiseAbs2();
  dv_var_ += chained * dv_head_.cwiseAbs2();
}

void KeyPass::put() {
  const auto put_tensor = [this](const Matrix& value, const Matrix& var, const Answer& answer) {
    for (Index r = 0; r < keys_; ++r) {
      const Index at = (task_.begin + r) * answer.stride;
      for (Index c = 0; c < value.cols(); ++c) {
        answer.value[at + c] = value(r, c);
        if (!model_.sigma) continue;
        const double rounding = model_.grad_out_var * square(ulp(model_.out, value(r, c)));
        answer.sigma[at + c] = std::sqrt(var(r, c) + rounding);
      }
    }
  };
  put_tensor(dk_, dk_var_, task_.dk);
  put_tensor(dv_, dv_var_, task_.dv);
}

void KeyPass::run() {
  for (Index h = 0; h < task_.head_count; ++h) add_head(task_.heads[h]);
  if (touched_) put();  // The answer starts as zeros.
}

}  // namespace

void key_pass(const KeyTask& task) {
  KeyPass(task).run();
}

}  // namespace fathom::reference::FATHOM_ISA
