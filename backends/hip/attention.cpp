// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/attention.h"

#include <algorithm>
#include <stdexcept>

namespace fathom::hip {
namespace {

std::vector<int> to_ints(const std::vector<Index>& numbers) {
  return {numbers.begin(), numbers.end()};
}

/// Where row 0 of each (sequence, head) lies gives the strides back.
fathom_hip_tensor strides_of(const Problem& problem, TensorName name) {
  const HeadView first = head_view(problem, name, 0, 0);
  fathom_hip_tensor tensor{nullptr, first.row_stride, 0, 0};
  if (head_count(problem, name) > 1) {
    tensor.head_stride = head_view(problem, name, 0, 1).offset - first.offset;
  }
  if (problem.layout != Layout::thd && problem.sequences.size() > 1) {
    tensor.sequence_stride =
        head_view(problem, name, 1, 0).offset - first.offset - first.rows * first.row_stride;
  }
  return tensor;
}

struct Place {
  TensorName name;
  fathom_hip_tensor fathom_hip_attention::*tensor;
};
constexpr Place places[] = {
    {TensorName::q, &fathom_hip_attention::q},
    {TensorName::k, &fathom_hip_attention::k},
    {TensorName::v, &fathom_hip_attention::v},
    {TensorName::o, &fathom_hip_attention::o},
    {TensorName::lse, &fathom_hip_attention::lse},
    {TensorName::dout, &fathom_hip_attention::dout},
    {TensorName::dlse, &fathom_hip_attention::dlse},
    {TensorName::dq, &fathom_hip_attention::dq},
    {TensorName::dk, &fathom_hip_attention::dk},
    {TensorName::dv, &fathom_hip_attention::dv},
};

/// Adds one term of a mask: the narrower of two windows is their conjunction.
struct AddTerm {
  fathom_hip_attention& a;
  static void narrow(std::int32_t& side, Index length) {
    if (length < 0 || (side >= 0 && side <= length)) return;
    side = static_cast<std::int32_t>(std::min<Index>(length, INT32_MAX));
  }
  void operator()(const Causal& causal) const {
    a.causal |= causal.corner == Corner::top_left ? FATHOM_HIP_CAUSAL_TOP_LEFT
                                                  : FATHOM_HIP_CAUSAL_BOTTOM_RIGHT;
  }
  void operator()(const Window& window) const {
    narrow(a.window_left, window.left);
    narrow(a.window_right, window.right);
  }
  void operator()(const PrefixLm& /*term*/) const {}  // The prefix lengths say it.
  void operator()(const Document& /*term*/) const {
    throw std::runtime_error("the kernel has no mask of documents");
  }
};

}  // namespace

fathom_hip_attention shape_of(const Problem& problem) {
  fathom_hip_attention a{};
  a.dtype = problem.dtype == Dtype::bf16  ? FATHOM_HIP_BF16
            : problem.dtype == Dtype::f16 ? FATHOM_HIP_F16
                                          : static_cast<fathom_hip_dtype>(-1);
  a.head_dim = static_cast<std::int32_t>(problem.head_dim);
  a.query_heads = static_cast<std::int32_t>(problem.query_heads);
  a.kv_heads = static_cast<std::int32_t>(problem.kv_heads);
  a.softmax_scale = static_cast<float>(softmax_scale(problem));
  a.sequences = static_cast<std::int32_t>(problem.sequences.size());
  for (const Sequence& s : problem.sequences) {
    a.query_tokens += static_cast<std::int32_t>(s.query_length);
    a.key_tokens += static_cast<std::int32_t>(s.key_length);
  }
  a.window_left = a.window_right = -1;
  for (const MaskTerm& term : problem.mask.terms) std::visit(AddTerm{a}, term);
  return a;
}

const int* Attention::keep(const std::vector<int>& numbers) {
  const std::size_t bytes = numbers.size() * sizeof(int);
  arrays_.emplace_back(memory_, bytes);
  memory_.upload(arrays_.back().data(), numbers.data(), bytes);
  return static_cast<const int*>(arrays_.back().data());
}

Attention::Attention(const Problem& problem, const TensorPlaces& tensors, Memory& memory)
    : memory_(memory), whole_(shape_of(problem)) {
  for (const auto& [name, tensor] : places) {
    if (!has_backward(problem) && name >= TensorName::dq) continue;
    whole_.*tensor = strides_of(problem, name);
    if (const auto found = tensors.find(name); found != tensors.end()) {
      (whole_.*tensor).data = found->second;
    }
  }
  bind_sequences(problem);
  if (has<PrefixLm>(problem.mask)) bind_two_passes(problem);
  if (!has_backward(problem)) return;
  workspace_.emplace_back(memory_, hip::workspace_bytes(whole_));
  if (whole_.lse.data == nullptr) {
    workspace_.emplace_back(memory_, hip::workspace_bytes(whole_) / 2);
    whole_.lse.data = workspace_.back().data();
  }
}

void Attention::bind_sequences(const Problem& problem) {
  whole_.cu_seqlens_q = keep(to_ints(cu_seqlens_q(problem)));
  whole_.cu_seqlens_k = keep(to_ints(cu_seqlens_k(problem)));
  if (!has<PrefixLm>(problem.mask)) return;
  std::vector<int> prefixes;
  for (const Sequence& s : problem.sequences) prefixes.push_back(static_cast<int>(s.prefix_length));
  whole_.prefix_lens = keep(prefixes);
}

void Attention::bind_two_passes(const Problem& problem) {
  const std::vector<Index> starts = cu_seqlens_q(problem);
  std::vector<int> in_prefix;
  std::vector<int> behind;
  std::vector<int> shifted;
  for (std::size_t i = 0; i < problem.sequences.size(); ++i) {
    const Sequence& s = problem.sequences[i];
    const Index shift = s.key_length - s.query_length;
    const Index inside = std::clamp<Index>(s.prefix_length - shift, 0, s.query_length);
    in_prefix.push_back(static_cast<int>(inside));
    behind.push_back(static_cast<int>(s.query_length - inside));
    shifted.push_back(static_cast<int>(starts[i] + inside));
  }
  shifted.push_back(static_cast<int>(starts.back()));
  prefix_ = response_ = whole_;
  prefix_.prefix_lens = response_.prefix_lens = nullptr;
  prefix_.used_q = keep(in_prefix);
  prefix_.used_k = whole_.prefix_lens;
  response_.cu_seqlens_q = keep(shifted);
  response_.used_q = keep(behind);
  response_.causal = FATHOM_HIP_CAUSAL_BOTTOM_RIGHT;
}

void Attention::forward(const Launcher& launcher) const {
  run_forward(launcher, whole_, nullptr);
}

void Attention::forward_in_two_passes(const Launcher& launcher) const {
  run_forward(launcher, prefix_, nullptr);
  run_forward(launcher, response_, nullptr);
}

void Attention::backward(const Launcher& launcher) const {
  run_backward(launcher, whole_, workspace_.front().data(), workspace_.front().bytes(), nullptr);
}

std::size_t Attention::workspace_bytes() const {
  std::size_t bytes = 0;
  for (const Buffer& buffer : workspace_) bytes += buffer.bytes();
  return bytes;
}

}  // namespace fathom::hip
