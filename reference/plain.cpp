// SPDX-License-Identifier: Apache-2.0
#include "reference/plain.h"

#include "reference/decoded.h"
#include "reference/error_model.h"
#include "reference/parallel.h"

#include <cmath>

namespace fathom::reference {
namespace {

constexpr double most_scores_of_a_head = 4.0 * 1024 * 1024;
constexpr double most_scores = 64.0 * 1024 * 1024;

bool fits_densely(const Problem& problem) {
  double all = 0;
  for (const Sequence& s : problem.sequences) {
    const double scores = static_cast<double>(s.query_length) * static_cast<double>(s.key_length);
    if (scores > most_scores_of_a_head) return false;
    all += scores * static_cast<double>(problem.query_heads);
  }
  return all <= most_scores;
}

/// A negative scale stays negative on Q, as in torch.
void set_scales(PlainTask& task, PlainVariant variant, double scale) {
  if (variant == PlainVariant::scaled_k) {
    task.key_scale = scale;
    return;
  }
  task.key_scale = std::sqrt(std::abs(scale));
  task.query_scale = std::copysign(task.key_scale, scale);
}

/// Where one head of a sequence stores its share of dK and dV before the group is summed.
struct KeyShare {
  std::vector<double> dk, dv;
};

class PlainComputation {
 public:
  PlainComputation(const Problem& problem, const TensorSet& inputs, PlainVariant variant)
      : problem_(problem),
        inputs_(problem, inputs),
        variant_(variant),
        grid_(grid_of(problem.dtype)) {
    for (const TensorSpec& spec : output_specs(problem)) {
      if (spec.name != TensorName::lse)
        answer_[spec.name].resize(static_cast<std::size_t>(element_count(spec)));
    }
  }

  PlainAnswer run(const Kernels& kernels, int threads) {
    const Index groups = std::ssize(problem_.sequences) * problem_.kv_heads;
    run_tasks(groups, threads,
              [&](Index i) { run_group(kernels, i / problem_.kv_heads, i % problem_.kv_heads); });
    return std::move(answer_);
  }

 private:
  void run_group(const Kernels& kernels, Index sequence, Index kv_head);
  [[nodiscard]] PlainTask task_of(Index sequence, Index head);
  [[nodiscard]] Answer place(TensorName name, Index sequence, Index head);
  void add(const std::vector<double>& share, TensorName name, Index sequence, Index kv_head);
  void round(TensorName name, Index sequence, Index kv_head);

  const Problem& problem_;
  const Decoded inputs_;
  const PlainVariant variant_;
  const Grid grid_;
  PlainAnswer answer_;
};

Answer PlainComputation::place(TensorName name, Index sequence, Index head) {
  const HeadView view = head_view(problem_, name, sequence, head);
  return {.value = answer_.at(name).data() + view.offset, .stride = view.row_stride};
}

PlainTask PlainComputation::task_of(Index sequence, Index head) {
  const DtypeInfo& dtype = info(problem_.dtype);
  const Index kv_head = head / (problem_.query_heads / problem_.kv_heads);
  PlainTask task;
  task.grid = grid_;
  set_scales(task, variant_, softmax_scale(problem_));
  task.largest = std::ldexp(2 - grid_.step, dtype.max_exponent);
  task.backward = has_backward(problem_);
  task.q = inputs_.rows(TensorName::q, sequence, head);
  task.k = inputs_.rows(TensorName::k, sequence, kv_head);
  task.v = inputs_.rows(TensorName::v, sequence, kv_head);
  task.dout = inputs_.rows(TensorName::dout, sequence, head);
  task.dlse = inputs_.rows(TensorName::dlse, sequence, head);
  task.o = place(TensorName::o, sequence, head);
  if (task.backward) task.dq = place(TensorName::dq, sequence, head);
  return task;
}

void PlainComputation::add(const std::vector<double>& share, TensorName name, Index sequence,
                           Index kv_head) {
  const HeadView view = head_view(problem_, name, sequence, kv_head);
  double* sum = answer_.at(name).data() + view.offset;
  for (Index r = 0; r < view.rows; ++r) {
    for (Index c = 0; c < view.channels; ++c)
      sum[r * view.row_stride + c] += share[static_cast<std::size_t>(r * view.channels + c)];
  }
}

void PlainComputation::round(TensorName name, Index sequence, Index kv_head) {
  const HeadView view = head_view(problem_, name, sequence, kv_head);
  double* sum = answer_.at(name).data() + view.offset;
  for (Index r = 0; r < view.rows; ++r) {
    for (Index c = 0; c < view.channels; ++c) {
      double& x = sum[r * view.row_stride + c];
      x = round_to(problem_.dtype, x);
    }
  }
}

void PlainComputation::run_group(const Kernels& kernels, Index sequence, Index kv_head) {
  const Index group = problem_.query_heads / problem_.kv_heads;
  const std::vector<Interval> visible = visible_intervals(problem_, sequence);
  for (Index head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    PlainTask task = task_of(sequence, head);
    task.visible = visible.data();
    KeyShare share;
    if (task.backward) {
      share.dk.resize(static_cast<std::size_t>(task.k.rows * task.k.channels));
      share.dv.resize(static_cast<std::size_t>(task.v.rows * task.v.channels));
    }
    task.dk = {.value = share.dk.data(), .stride = task.k.channels};
    task.dv = {.value = share.dv.data(), .stride = task.v.channels};
    kernels.plain_pass(task);
    if (!task.backward) continue;
    add(share.dk, TensorName::dk, sequence, kv_head);
    add(share.dv, TensorName::dv, sequence, kv_head);
  }
  if (!has_backward(problem_)) return;
  round(TensorName::dk, sequence, kv_head);
  round(TensorName::dv, sequence, kv_head);
}

}  // namespace

std::shared_ptr<const PlainAnswer> compute_plain(const Problem& problem, const TensorSet& inputs,
                                                 PlainVariant variant, const Kernels& kernels,
                                                 int threads) {
  if (problem.dtype == Dtype::f64 || !fits_densely(problem)) return nullptr;
  return std::make_shared<const PlainAnswer>(
      PlainComputation(problem, inputs, variant).run(kernels, threads));
}

}  // namespace fathom::reference
