// SPDX-License-Identifier: Apache-2.0
#include "reference/kernel_entries.h"
#include "reference/kernel_math.h"

namespace fathom::reference::FATHOM_ISA {
namespace {

/// A strip of query rows against the hull of the keys that they see. The softmax needs the whole
/// row before any weight can be rounded, so the strip of scores is kept; everything else lives
/// in tiles of key_step keys.
class RowPass {
 public:
  explicit RowPass(const RowTask& task);
  void run();

 private:
  template <typename Step>
  void for_each_step(Step step) const {
    for (Index begin = 0; begin < keys_; begin += key_step)
      step(begin, least(key_step, keys_ - begin));
  }
  [[nodiscard]] View keys(Index begin, Index count) const {
    return view(task_.k, hull_.begin + begin, count);
  }
  [[nodiscard]] View values(Index begin, Index count) const {
    return view(task_.v, hull_.begin + begin, count);
  }
  [[nodiscard]] bool seen(Index row) const { return weight_(row) > 0; }
  /// The cotangent of the log-sum-exp.
  [[nodiscard]] double dlse(Index row) const {
    if (task_.dlse.data == nullptr) return 0;
    return task_.dlse.data[(task_.begin + row) * task_.dlse.stride];
  }

  void score();
  void normalise();
  void normalise_row(Index row);
  void weigh();
  void forward_row(Index row, Index begin, Index count);
  void sum_values(Index begin, Index count);
  void put_lse();
  void put_output();
  void put_row_errors(Index row);
  void put_bound(Index row, double rms);
  void sum_absolute_values();

  void put_states();
  void differentiate();
  void gradient_row(Index row, Index begin, Index count);
  void put_gradient();

  const RowTask& task_;
  const ErrorModel& model_;
  const Index rows_;
  const Interval hull_;
  const Index keys_;
  const Chain chain_;  ///< Of a kernel that walks over the keys.
  Matrix scores_, exps_, spread_;
  Vector weight_;  ///< m = 1 / sum exp(s - max): the largest p of the row; 0 if none.
  Vector lse_;
  Vector largest_score_;  ///< |s|, or the norm of the products that it sums, whichever is larger.
  Matrix p_, all_, inner_, truncated_,
      square_;  ///< Tiles: p; weights of V^2; weights of (V - O)^2.
  Matrix o_, v2_, inner_v_, absolute_, mean_, tf32_, visible_absolute_;
  Vector inner_sum_;  ///< sum p^2 delta^2: the variance of the log-sum-exp.
  Vector delta_score_var_;
  Matrix dp_, dp2_, ds_, ds_all_;
  Matrix dq_, k2_, pk_;
};

RowPass::RowPass(const RowTask& task)
    : task_(task),
      model_(*task.model),
      rows_(task.end - task.begin),
      hull_(hull(task.visible, task.begin, task.end)),
      keys_(most(Index{0}, hull_.end - hull_.begin)),
      chain_(chain(task.k.rows, model_.block_n)),
      weight_(Vector::Zero(rows_)),
      lse_(Vector::Constant(rows_, -HUGE_VAL)),
      largest_score_(Vector::Zero(rows_)) {}

void RowPass::score() {
  const View q = view(task_.q, task_.begin, rows_);
  const Matrix scaled = q * task_.scale;
  scores_.resize(rows_, keys_);
  for_each_step([&](Index begin, Index count) {
    scores_.middleCols(begin, count).noalias() = scaled * keys(begin, count).transpose();
  });
  if (!model_.sigma) return;
  const double factor = 0.5 * static_cast<double>(task_.q.channels) * square(task_.scale);
  const Matrix squared = factor * q.cwiseAbs2();
  spread_.resize(rows_, keys_);
  for_each_step([&](Index begin, Index count) {
    square_ = keys(begin, count).cwiseAbs2();
    spread_.middleCols(begin, count).noalias() = squared * square_.transpose();
  });
}

void RowPass::normalise() {
  exps_ = Matrix::Zero(rows_, keys_);
  for (Index r = 0; r < rows_; ++r) normalise_row(r);
}

void RowPass::normalise_row(Index r) {
  const Interval& visible = task_.visible[task_.begin + r];
  const Index count = visible.end - visible.begin;
  if (count <= 0) return;
  const auto scores = scores_.row(r).segment(visible.begin - hull_.begin, count).array();
  auto exps = exps_.row(r).segment(visible.begin - hull_.begin, count).array();
  const double max = scores.maxCoeff();
  exps = (scores - max).exp();
  const double sum = exps.sum();
  weight_(r) = 1 / sum;
  lse_(r) = max + std::log(sum);
  largest_score_(r) = most(std::abs(max), std::abs(scores.minCoeff()));
  if (!model_.sigma) return;
  // A score whose products cancel has the error of the products: sqrt(scale^2 sum q^2 k^2).
  const double spread = spread_.row(r).segment(visible.begin - hull_.begin, count).maxCoeff();
  const double products = std::sqrt(2 * spread / static_cast<double>(task_.q.channels));
  largest_score_(r) = most(largest_score_(r), products);
}

/// p, and the weights with which the squared values enter the variance of O:
///   all   = (m ulp(e))^2 / 12 + inner + kappa block/2 p^2, for V^2
///   inner = p^2 delta^2, for (V - O)^2 = V^2 - 2 O V + O^2
void RowPass::forward_row(Index r, Index begin, Index count) {
  const double* s = &scores_(r, begin);
  const double* e = &exps_(r, begin);
  double* p = &p_(r, 0);
  const double m = weight_(r);
  if (!model_.sigma) {
    for (Index j = 0; j < count; ++j) p[j] = m * e[j];
    return;
  }
  const double* spread = &spread_(r, begin);
  double* all = &all_(r, 0);
  double* inner = &inner_(r, 0);
  const Grid grid = model_.p;
  const double kappa = model_.kappa_score;
  const double score_weight = static_cast<double>(task_.q.channels) / 3 + 4;
  const double chained = 0.5 * chain_.block * model_.kappa_sum;
  for (Index j = 0; j < count; ++j) {
    const double pj = m * e[j];
    const double p2 = pj * pj;
    const double in = p2 * kappa * (score_weight * s[j] * s[j] + spread[j] + 2);
    p[j] = pj;
    inner[j] = in;
    all[j] = square(m * ulp(grid, e[j])) / 12 + in + chained * p2;
  }
}

void RowPass::sum_values(Index begin, Index count) {
  const View v = values(begin, count);
  o_.noalias() += p_ * v;
  if (!model_.sigma) return;
  square_ = v.cwiseAbs2();
  v2_.noalias() += all_ * square_;
  inner_v_.noalias() += inner_ * v;
  inner_sum_ += inner_.rowwise().sum().array();
  if (model_.hard_bound) {
    square_ = v.cwiseAbs();
    absolute_.noalias() += p_ * square_;
  }
  if (model_.p_truncates) {
    const auto e = exps_.middleCols(begin, count).array();
    const Grid grid = model_.p;
    truncated_ = e.unaryExpr([grid](double x) { return x < 1 ? ulp(grid, x) : 0.0; }).matrix();
    mean_.noalias() += truncated_ * v;
  }
  if (model_.tf32_values) {
    const Grid grid = model_.tf32;
    square_ = v.unaryExpr([grid](double x) { return square(ulp(grid, x)) / 12; });
    tf32_.noalias() += p_.cwiseAbs2() * square_;
  }
}

void RowPass::weigh() {
  const Index dv = task_.v.channels;
  o_ = Matrix::Zero(rows_, dv);
  v2_ = inner_v_ = absolute_ = mean_ = tf32_ = Matrix::Zero(model_.sigma ? rows_ : 0, dv);
  inner_sum_ = Vector::Zero(rows_);
  for_each_step([&](Index begin, Index count) {
    for (Matrix* tile : {&p_, &all_, &inner_}) tile->resize(rows_, count);
    for (Index r = 0; r < rows_; ++r) forward_row(r, begin, count);
    sum_values(begin, count);
  });
}

/// The limit of |LSE - truth|: a few fp32 steps of the result, of the largest score and of the
/// logarithm; a zero query has no score to get wrong.
void RowPass::put_lse() {
  const View q = view(task_.q, task_.begin, rows_);
  const double root = std::sqrt(static_cast<double>(task_.q.channels));
  for (Index r = 0; r < rows_; ++r) {
    const Index at = (task_.begin + r) * task_.lse.stride;
    task_.lse.value[at] = lse_(r);
    if (!seen(r)) continue;
    const double size = most(1.0, std::abs(lse_(r)));
    if (!model_.sigma) {
      task_.lse.bound[at] = 1e-12 * size;
      continue;
    }
    const bool zero = (q.row(r).array() == 0).all();
    const double score = zero ? 0 : 4 * root * most(1.0, largest_score_(r));
    task_.lse.bound[at] =
        0x1p-24 * (8 * size + 16) + model_.lse_score_unit * score + model_.lse_exp_rel;
  }
}

void RowPass::put_output() {
  for (Index r = 0; r < rows_; ++r) {
    if (!seen(r)) continue;  // The answer starts as zeros.
    double* value = task_.o.value + (task_.begin + r) * task_.o.stride;
    for (Index c = 0; c < o_.cols(); ++c) value[c] = o_(r, c);
    if (model_.sigma) put_row_errors(r);
  }
  if (model_.hard_bound && model_.bound_subnormal > 0) sum_absolute_values();
}

void RowPass::put_row_errors(Index r) {
  const Index at = (task_.begin + r) * task_.o.stride;
  const double rms = std::sqrt(o_.row(r).squaredNorm() / static_cast<double>(o_.cols()));
  const double chained = model_.kappa_sum * ((chain_.block + chain_.blocks) / 3 + 8);
  for (Index c = 0; c < o_.cols(); ++c) {
    const double o = o_(r, c);
    double var = v2_(r, c) - 2 * o * inner_v_(r, c) + o * o * inner_sum_(r);
    var = most(var, 0.0) + chained * o * o + square(ulp(model_.out, o)) / 12;
    if (model_.tf32_values) var += tf32_(r, c);
    if (model_.rounds_partials) var += square(ulp(model_.partial, most(std::abs(o), rms))) / 12;
    task_.o.sigma[at + c] = std::sqrt(var);
    if (task_.o.mean == nullptr) continue;
    double mean = model_.p_truncates ? -0.5 * weight_(r) * mean_(r, c) : 0.0;
    if (model_.out_truncates) mean -= std::copysign(0.5 * ulp(model_.out, o), o);
    task_.o.mean[at + c] = mean;
  }
  if (model_.hard_bound) put_bound(r, rms);
}

void RowPass::put_bound(Index r, double rms) {
  for (Index c = 0; c < o_.cols(); ++c) {
    const double o = std::abs(o_(r, c));
    task_.o.bound[(task_.begin + r) * task_.o.stride + c] =
        model_.bound_out * o + model_.bound_weights * absolute_(r, c) +
        model_.bound_partial * most(o, rms) + model_.bound_constant;
  }
}

// fp16 weights below 2^-14 lose absolute, not relative, precision: half a subnormal step each.
void RowPass::sum_absolute_values() {
  Matrix sums(keys_ + 1, task_.v.channels);
  sums.row(0).setZero();
  for (Index j = 0; j < keys_; ++j) sums.row(j + 1) = sums.row(j) + values(j, 1).cwiseAbs();
  for (Index r = 0; r < rows_; ++r) {
    if (!seen(r)) continue;
    const Interval& visible = task_.visible[task_.begin + r];
    double* bound = task_.o.bound + (task_.begin + r) * task_.o.stride;
    for (Index c = 0; c < sums.cols(); ++c) {
      bound[c] += model_.bound_subnormal * weight_(r) *
                  (sums(visible.end - hull_.begin, c) - sums(visible.begin - hull_.begin, c));
    }
  }
}

/// D = dO . O less the cotangent of LSE, and what is uncertain about it: O has the errors of P and
/// of its own sum, and was rounded before it entered D; D is an fp32 sum; D - dLSE is one fp32
/// rounding, shared by the whole row of dS. The scores' errors, which come with v2_ as if channels
/// were independent, gradient_row() replaces by what they do to D.
void RowPass::put_states() {
  const View dout = view(task_.dout, task_.begin, rows_);
  const double chained = model_.kappa_sum * ((chain_.block + chain_.blocks) / 3 + 8);
  const double sum_var = 0.5 * model_.kappa_delta * static_cast<double>(task_.v.channels);
  for (Index r = 0; r < rows_; ++r) {
    RowState& state = task_.states[task_.begin + r];
    state = {};
    if (!seen(r)) continue;
    state.lse = lse_(r);
    state.lse_var = model_.sigma ? square(ulp(model_.lse, lse_(r))) / 12 + inner_sum_(r) : 0;
    for (Index c = 0; c < o_.cols(); ++c) {
      const double term = dout(r, c) * o_(r, c);
      state.delta += term;
      state.delta_var += sum_var * term * term;
      if (model_.sigma) {
        state.delta_var += square(dout(r, c)) * (v2_(r, c) + chained * square(o_(r, c)));
      }
      if (model_.delta_from_rounded) {
        state.delta_var += model_.grad_out_var * square(ulp(model_.out, o_(r, c)) * dout(r, c));
      }
    }
    if (task_.dlse.data == nullptr) continue;
    state.delta -= dlse(r);
    state.delta_var += square(ulp(model_.lse, state.delta)) / 12;
  }
}

void RowPass::gradient_row(Index r, Index begin, Index count) {
  const RowState row = task_.states[task_.begin + r];
  const double m = weight_(r);
  const double* e = &exps_(r, begin);
  const double* dp = &dp_(r, 0);
  double* p = &p_(r, 0);
  double* ds = &ds_(r, 0);
  for (Index j = 0; j < count; ++j) {
    p[j] = m * e[j];
    ds[j] = p[j] * (dp[j] - row.delta);
  }
  if (!model_.sigma) return;
  const PairModel pair = pair_model(model_, task_.q.channels, task_.v.channels);
  const double chained = 0.5 * chain_.block * model_.kappa_grad_sum + model_.kappa_grad_operand;
  const double* s = &scores_(r, begin);
  const double* spread = &spread_(r, begin);
  const double* dp2 = &dp2_(r, 0);
  double* all = &all_(r, 0);
  const double output_delta = row.delta + dlse(r);
  const double score_weight = static_cast<double>(task_.q.channels) / 3 + 4;
  double delta_var = 0;
  for (Index j = 0; j < count; ++j) {
    const double relative = relative_var(pair, s[j], spread[j], row);
    const double flushed = e[j] > 0 ? square(model_.smallest_exp * (dp[j] - row.delta)) : 0.0;
    all[j] = ds_var(pair, p[j], ds[j], relative, dp2[j]) + chained * ds[j] * ds[j] + flushed;
    const double inner =
        square(p[j]) * model_.kappa_score * (score_weight * s[j] * s[j] + spread[j] + 2);
    delta_var += inner * (square(dp[j] - output_delta) - dp2[j]);
  }
  delta_score_var_(r) += delta_var;
}

void RowPass::differentiate() {
  const View dout = view(task_.dout, task_.begin, rows_);
  const Matrix dout2 = dout.cwiseAbs2();
  dq_ = k2_ = pk_ = Matrix::Zero(rows_, task_.q.channels);
  delta_score_var_ = Vector::Zero(rows_);
  for_each_step([&](Index begin, Index count) {
    for (Matrix* tile : {&p_, &ds_, &all_}) tile->resize(rows_, count);
    const View v = values(begin, count);
    const View k = keys(begin, count);
    dp_.noalias() = dout * v.transpose();
    if (model_.sigma) {
      square_ = v.cwiseAbs2();
      dp2_.noalias() = dout2 * square_.transpose();
    }
    for (Index r = 0; r < rows_; ++r) gradient_row(r, begin, count);
    dq_.noalias() += ds_ * k;
    if (!model_.sigma) return;
    square_ = k.cwiseAbs2();
    k2_.noalias() += all_ * square_;
    pk_.noalias() += p_ * k;
  });
  for (Index r = 0; r < rows_; ++r) {
    double& var = task_.states[task_.begin + r].delta_var;
    var = most(0.0, var + delta_score_var_(r));
  }
}

void RowPass::put_gradient() {
  const double chained = model_.kappa_grad_sum * (chain_.block + chain_.blocks) / 3;
  for (Index r = 0; r < rows_; ++r) {
    if (!seen(r)) continue;
    const double delta_var = task_.states[task_.begin + r].delta_var;
    const Index at = (task_.begin + r) * task_.dq.stride;
    for (Index c = 0; c < dq_.cols(); ++c) {
      const double dq = task_.scale * dq_(r, c);
      task_.dq.value[at + c] = dq;
      if (!model_.sigma) continue;
      const double var = square(task_.scale) * (k2_(r, c) + delta_var * square(pk_(r, c))) +
                         chained * dq * dq + model_.grad_out_var * square(ulp(model_.out, dq));
      task_.dq.sigma[at + c] = std::sqrt(var);
    }
  }
}

void RowPass::run() {
  if (keys_ > 0) {
    score();
    normalise();
    weigh();
    put_output();
  }
  put_lse();
  if (!task_.backward) return;
  put_states();
  if (keys_ == 0) return;
  differentiate();
  put_gradient();
}

}  // namespace

void row_pass(const RowTask& task) {
  RowPass(task).run();
}

}  // namespace fathom::reference::FATHOM_ISA
