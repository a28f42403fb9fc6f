// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/attention.h"

#include <algorithm>

namespace fathom::hip {
namespace {

std::vector<int> to_ints(const std::vector<Index>& numbers) {
  return {numbers.begin(), numbers.end()};
}

Global<const int> global_of(const std::vector<int>& numbers, const char* name) {
  return {numbers.data(), static_cast<std::int64_t>(numbers.size()), name};
}

/// Where row 0 of each (sequence, head) lies gives the strides back.
template <typename T>
Rows<T> strides_of(const Problem& problem, TensorName name) {
  const HeadView first = head_view(problem, name, 0, 0);
  Rows<T> rows;
  rows.token_stride = first.row_stride;
  if (head_count(problem, name) > 1) {
    rows.head_stride = head_view(problem, name, 0, 1).offset - first.offset;
  }
  if (problem.layout != Layout::thd && problem.sequences.size() > 1) {
    rows.sequence_stride =
        head_view(problem, name, 1, 0).offset - first.offset - first.rows * first.row_stride;
  }
  return rows;
}

/// Adds one term of a mask to the rule; false if the kernel has no number for it.
struct AddTerm {
  MaskRule& rule;
  static int side(Index length) {
    return length < 0 ? unlimited : static_cast<int>(std::min<Index>(length, unlimited));
  }
  bool operator()(const Causal& causal) const {
    if (causal.corner == Corner::top_left) {
      rule.top_left = true;
    } else {
      rule.right = 0;
    }
    return true;
  }
  bool operator()(const Window& window) const {
    rule.left = std::min(rule.left, side(window.left));
    rule.right = std::min(rule.right, side(window.right));
    return true;
  }
  bool operator()(const PrefixLm& /*term*/) const { return rule.prefix_lm = true; }
  bool operator()(const Document& /*term*/) const { return false; }
};

}  // namespace

std::optional<MaskRule> mask_rule(const Mask& mask) {
  MaskRule rule;
  for (const MaskTerm& term : mask.terms) {
    if (!std::visit(AddTerm{rule}, term)) return std::nullopt;
  }
  return rule;
}

template <typename T, typename Views>
Rows<T> Attention::rows_of(TensorName name, const Views& views, const char* label) const {
  Rows<T> rows = strides_of<T>(problem_, name);
  const auto found = views.find(name);
  if (found == views.end()) return rows;
  rows.memory = {reinterpret_cast<T*>(found->second.bytes.data()),
                 static_cast<std::int64_t>(found->second.bytes.size() / sizeof(T)), label};
  return rows;
}

Attention::Attention(const Problem& problem, const worker::InputViews& inputs,
                     const worker::OutputViews& outputs, const HostKernels& kernels)
    : kernels_(kernels),
      cu_q_(to_ints(cu_seqlens_q(problem))),
      cu_k_(to_ints(cu_seqlens_k(problem))),
      problem_(problem) {
  for (const Sequence& s : problem.sequences) {
    const Index shift = s.key_length - s.query_length;
    const Index inside = std::clamp<Index>(s.prefix_length - shift, 0, s.query_length);
    prefix_.push_back(static_cast<int>(s.prefix_length));
    prefix_queries_.push_back(static_cast<int>(inside));
    response_queries_.push_back(static_cast<int>(s.query_length - inside));
  }
  for (std::size_t i = 0; i < prefix_.size(); ++i)
    shifted_q_.push_back(cu_q_[i] + prefix_queries_[i]);
  shifted_q_.push_back(cu_q_.back());
  Arguments& a = arguments_;
  a.q = rows_of<const std::uint16_t>(TensorName::q, inputs, "Q");
  a.k = rows_of<const std::uint16_t>(TensorName::k, inputs, "K");
  a.v = rows_of<const std::uint16_t>(TensorName::v, inputs, "V");
  a.dout = rows_of<const std::uint16_t>(TensorName::dout, inputs, "dO");
  a.o = rows_of<std::uint16_t>(TensorName::o, outputs, "O");
  a.dq = rows_of<std::uint16_t>(TensorName::dq, outputs, "dQ");
  a.dk = rows_of<std::uint16_t>(TensorName::dk, outputs, "dK");
  a.dv = rows_of<std::uint16_t>(TensorName::dv, outputs, "dV");
  a.lse = rows_of<float>(TensorName::lse, outputs, "LSE");
  a.dlse = rows_of<const float>(TensorName::dlse, inputs, "dLSE");
  a.row_log2 = a.row_delta = strides_of<float>(problem, TensorName::lse);
  const std::size_t rows =
      static_cast<std::size_t>(cu_q_.back()) * static_cast<std::size_t>(problem.query_heads);
  const auto workspace = [rows](std::vector<float>& numbers, const char* label) {
    numbers.resize(rows);
    return Global<float>{numbers.data(), static_cast<std::int64_t>(rows), label};
  };
  if (has_backward(problem)) {
    a.row_log2.memory = workspace(log2_, "LSE in base 2");
    a.row_delta.memory = workspace(delta_, "delta");
    if (a.lse.memory.data == nullptr) a.lse.memory = workspace(lse_, "LSE");
  }
  a.sequences = {.count = static_cast<int>(problem.sequences.size()),
                 .query_tokens = cu_q_.back(),
                 .key_tokens = cu_k_.back(),
                 .cu_q = global_of(cu_q_, "cu_seqlens of Q"),
                 .cu_k = global_of(cu_k_, "cu_seqlens of K"),
                 .used_q = {},
                 .used_k = {},
                 .prefix = global_of(prefix_, "prefix lengths")};
  a.mask = mask_rule(problem.mask).value();
  a.query_heads = static_cast<int>(problem.query_heads);
  a.group = static_cast<int>(problem.query_heads / problem.kv_heads);
  a.scale = static_cast<float>(softmax_scale(problem));
}

void Attention::forward(const host::Schedule& schedule, host::Alarms& alarms) {
  kernels_.forward(arguments_, schedule, alarms);
}

void Attention::forward_in_two_passes(const host::Schedule& schedule, host::Alarms& alarms) {
  Arguments prefix = arguments_;
  prefix.mask = {};
  prefix.sequences.used_q = global_of(prefix_queries_, "queries in the prefix");
  prefix.sequences.used_k = prefix.sequences.prefix;
  kernels_.forward(prefix, schedule, alarms);
  Arguments response = arguments_;
  response.mask = {.right = 0};
  response.sequences.cu_q = global_of(shifted_q_, "shifted cu_seqlens");
  response.sequences.used_q = global_of(response_queries_, "queries behind the prefix");
  kernels_.forward(response, schedule, alarms);
}

void Attention::backward(const host::Schedule& schedule, host::Alarms& alarms) {
  kernels_.row_data(arguments_, schedule, alarms);
  kernels_.key_gradient(arguments_, schedule, alarms);
  kernels_.query_gradient(arguments_, schedule, alarms);
}

}  // namespace fathom::hip
