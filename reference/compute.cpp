// SPDX-License-Identifier: Apache-2.0
#include "reference/compute.h"

#include "reference/decoded.h"
#include "reference/error_model.h"
#include "reference/parallel.h"

#include <algorithm>
#include <limits>

namespace fathom::reference {
namespace {

constexpr Index keys_per_task = 128;

/// Rows of one strip: three strips of scores of 8 MiB at most, but never fewer than 16 rows.
Index rows_per_task(Index keys) {
  return std::clamp<Index>((Index{1} << 20) / std::max<Index>(1, keys), 16, 128);
}

Index total(const Problem& problem, Index Sequence::*length) {
  Index sum = 0;
  for (const Sequence& sequence : problem.sequences) sum += sequence.*length;
  return sum;
}

/// Elements of a tensor, whether or not it is asked for (LSE always exists here).
std::size_t elements(const Problem& p, TensorName name) {
  const bool over_keys = name == TensorName::dk || name == TensorName::dv;
  const bool value_wide = name == TensorName::o || name == TensorName::dv;
  const Index rows = total(p, over_keys ? &Sequence::key_length : &Sequence::query_length);
  const Index channels = name == TensorName::lse ? 1 : value_wide ? p.value_dim : p.head_dim;
  return static_cast<std::size_t>(rows * head_count(p, name) * channels);
}

/// One attempt at a Problem: the decoded inputs, the answer under construction, and the tasks.
class Computation {
 public:
  Computation(const Problem& problem, const Arithmetic& arithmetic, const TensorSet& inputs)
      : problem_(problem), inputs_(problem, inputs), model_(make_error_model(problem, arithmetic)) {
    for (Index s = 0; s < sequences(); ++s) visible_.push_back(visible_intervals(problem, s));
    make_answer();
    make_row_tasks();
    if (has_backward(problem)) make_key_tasks();
  }

  OracleAnswer run(const Kernels& kernels, int threads) {
    run_tasks(std::ssize(row_tasks_), threads,
              [&](Index i) { kernels.row_pass(row_tasks_[static_cast<std::size_t>(i)]); });
    run_tasks(std::ssize(key_tasks_), threads,
              [&](Index i) { kernels.key_pass(key_tasks_[static_cast<std::size_t>(i)]); });
    return std::move(answer_);
  }

 private:
  [[nodiscard]] Index sequences() const { return std::ssize(problem_.sequences); }
  void make_answer();
  void make_row_tasks();
  void make_key_tasks();
  std::vector<GroupHead> group_of(Index sequence, Index kv_head);
  [[nodiscard]] Answer place(TensorName name, Index sequence, Index head);
  [[nodiscard]] RowState* states(Index sequence, Index head);

  const Problem& problem_;
  const Decoded inputs_;
  const ErrorModel model_;
  std::vector<std::vector<Interval>> visible_;
  OracleAnswer answer_;
  std::vector<RowState> states_;
  std::vector<std::vector<GroupHead>> groups_;
  std::vector<RowTask> row_tasks_;
  std::vector<KeyTask> key_tasks_;
};

void Computation::make_answer() {
  std::vector<TensorName> names{TensorName::o};
  if (has_backward(problem_))
    names.insert(names.end(), {TensorName::dq, TensorName::dk, TensorName::dv});
  for (const TensorName name : names) {
    OracleTensor& tensor = answer_[name];
    tensor.value.resize(elements(problem_, name));
    tensor.sigma.resize(tensor.value.size());
  }
  OracleTensor& o = answer_[TensorName::o];
  if (model_.hard_bound) o.bound.resize(o.value.size());
  if (model_.p_truncates || model_.out_truncates) o.mean.resize(o.value.size());
  OracleTensor& lse = answer_[TensorName::lse];
  lse.value.resize(elements(problem_, TensorName::lse), -std::numeric_limits<double>::infinity());
  lse.bound.resize(lse.value.size());
  if (has_backward(problem_)) states_.resize(lse.value.size());
}

Answer Computation::place(TensorName name, Index sequence, Index head) {
  const HeadView view = head_view(problem_, name, sequence, head);
  OracleTensor& tensor = answer_.at(name);
  const auto at = [&](std::vector<double>& map) {
    return map.empty() ? nullptr : map.data() + view.offset;
  };
  return {at(tensor.value), at(tensor.sigma), at(tensor.bound), at(tensor.mean), view.row_stride};
}

RowState* Computation::states(Index sequence, Index head) {
  if (states_.empty()) return nullptr;
  return states_.data() + head_view(problem_, TensorName::lse, sequence, head).offset;
}

void Computation::make_row_tasks() {
  const bool backward = has_backward(problem_);
  const Index group = problem_.query_heads / problem_.kv_heads;
  for (Index s = 0; s < sequences(); ++s) {
    for (Index h = 0; h < problem_.query_heads; ++h) {
      RowTask task;
      task.model = &model_;
      task.scale = softmax_scale(problem_);
      task.backward = backward;
      task.q = inputs_.rows(TensorName::q, s, h);
      task.k = inputs_.rows(TensorName::k, s, h / group);
      task.v = inputs_.rows(TensorName::v, s, h / group);
      task.dout = inputs_.rows(TensorName::dout, s, h);
      task.dlse = inputs_.rows(TensorName::dlse, s, h);
      task.visible = visible_[static_cast<std::size_t>(s)].data();
      task.o = place(TensorName::o, s, h);
      task.lse = place(TensorName::lse, s, h);
      if (backward) task.dq = place(TensorName::dq, s, h);
      task.states = states(s, h);
      const Index step = rows_per_task(task.k.rows);
      for (task.begin = 0; task.begin < task.q.rows; task.begin = task.end) {
        task.end = std::min(task.begin + step, task.q.rows);
        row_tasks_.push_back(task);
      }
    }
  }
}

std::vector<GroupHead> Computation::group_of(Index sequence, Index kv_head) {
  const Index group = problem_.query_heads / problem_.kv_heads;
  std::vector<GroupHead> heads;
  for (Index h = kv_head * group; h < (kv_head + 1) * group; ++h) {
    heads.push_back({inputs_.rows(TensorName::q, sequence, h),
                     inputs_.rows(TensorName::dout, sequence, h), states(sequence, h)});
  }
  return heads;
}

void Computation::make_key_tasks() {
  for (Index s = 0; s < sequences(); ++s) {
    for (Index h = 0; h < problem_.kv_heads; ++h) {
      const std::vector<GroupHead>& group = groups_.emplace_back(group_of(s, h));
      const std::vector<Interval>& visible = visible_[static_cast<std::size_t>(s)];
      KeyTask task;
      task.model = &model_;
      task.scale = softmax_scale(problem_);
      task.k = inputs_.rows(TensorName::k, s, h);
      task.v = inputs_.rows(TensorName::v, s, h);
      task.heads = group.data();  // Moving the vector of vectors leaves it in place.
      task.head_count = std::ssize(group);
      task.visible = visible.data();
      task.query_count = std::ssize(visible);
      task.dk = place(TensorName::dk, s, h);
      task.dv = place(TensorName::dv, s, h);
      for (task.begin = 0; task.begin < task.k.rows; task.begin = task.end) {
        task.end = std::min(task.begin + keys_per_task, task.k.rows);
        key_tasks_.push_back(task);
      }
    }
  }
}

}  // namespace

OracleAnswer compute_answer(const Problem& problem, const Arithmetic& arithmetic,
                            const TensorSet& inputs, const Kernels& kernels, int threads) {
  return Computation(problem, arithmetic, inputs).run(kernels, threads);
}

}  // namespace fathom::reference
