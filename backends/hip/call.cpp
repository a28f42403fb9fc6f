// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/call.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace fathom::hip {
namespace {

using Why = std::optional<std::string>;

constexpr int most_tokens = unlimited / 2;
/// Twice as many blocks in y, for slices, are as many as a CUDA grid has.
constexpr int most_heads = 16383;
/// Kernels address the rows of a block by 32 bits.
constexpr std::int64_t most_token_stride = std::int64_t{1} << 22;
constexpr std::size_t alignment = 16;

bool is_aligned(const void* data, std::size_t to) {
  return reinterpret_cast<std::uintptr_t>(data) % to == 0;
}

/// A tensor of a pass, and what its pass and place ask of it.
struct Operand {
  const char* name;
  const fathom_hip_tensor* tensor;
  int tokens;
  bool is_float = false;
  bool may_be_null = false;
};

std::vector<Operand> operands(const fathom_hip_attention& a, bool backward) {
  std::vector<Operand> all{{"q", &a.q, a.query_tokens},
                           {"k", &a.k, a.key_tokens},
                           {"v", &a.v, a.key_tokens},
                           {"o", &a.o, a.query_tokens},
                           {"lse", &a.lse, a.query_tokens, true, !backward}};
  if (!backward) return all;
  all.insert(all.end(), {{"dout", &a.dout, a.query_tokens},
                         {"dlse", &a.dlse, a.query_tokens, true, true},
                         {"dq", &a.dq, a.query_tokens},
                         {"dk", &a.dk, a.key_tokens},
                         {"dv", &a.dv, a.key_tokens}});
  return all;
}

Why why_operand_unfit(const Operand& operand) {
  const auto& [name, pointer, tokens, is_float, may_be_null] = operand;
  const fathom_hip_tensor& tensor = *pointer;
  if (tensor.data == nullptr) {
    if (may_be_null || tokens == 0) return std::nullopt;
    return std::string(name) + " is null; this pass needs it";
  }
  const std::size_t needed = is_float ? sizeof(float) : alignment;
  if (!is_aligned(tensor.data, needed)) {
    return std::string(name) + " is not aligned to " + std::to_string(needed) + " bytes";
  }
  for (const std::int64_t stride :
       {tensor.token_stride, tensor.head_stride, tensor.sequence_stride}) {
    if (is_float || stride % 8 == 0) continue;
    return std::string(name) + " has a stride of " + std::to_string(stride) +
           " elements; strides must be multiples of 8";
  }
  if (tensor.token_stride < 0 || tensor.token_stride > most_token_stride) {
    return std::string(name) + " has a token stride of " + std::to_string(tensor.token_stride) +
           " elements; it must be from 0 to 2^22";
  }
  return std::nullopt;
}

Why why_heads_unfit(const fathom_hip_attention& a) {
  if (a.kv_heads < 1 || a.query_heads < 1 || a.query_heads > most_heads) {
    return std::to_string(a.query_heads) + " query heads and " + std::to_string(a.kv_heads) +
           " KV heads; there must be from 1 to " + std::to_string(most_heads);
  }
  if (a.query_heads % a.kv_heads != 0) {
    return std::to_string(a.query_heads) + " query heads cannot share " +
           std::to_string(a.kv_heads) + " KV heads; the first must be a multiple of the second";
  }
  return std::nullopt;
}

Why why_counts_unfit(const fathom_hip_attention& a) {
  if (a.sequences < 1) return std::to_string(a.sequences) + " sequences; there must be one or more";
  for (const int tokens : {a.query_tokens, a.key_tokens}) {
    if (tokens >= 0 && tokens <= most_tokens) continue;
    return std::to_string(tokens) + " tokens; there may be from 0 to 2^28";
  }
  if (a.cu_seqlens_q == nullptr) return "cu_seqlens_q is null";
  if (a.cu_seqlens_k == nullptr) return "cu_seqlens_k is null";
  return std::nullopt;
}

Why why_mask_unfit(const fathom_hip_attention& a) {
  constexpr int corners = FATHOM_HIP_CAUSAL_BOTTOM_RIGHT | FATHOM_HIP_CAUSAL_TOP_LEFT;
  if ((a.causal & ~corners) != 0) {
    return "causal is " + std::to_string(a.causal) +
           "; it is a sum of FATHOM_HIP_CAUSAL_BOTTOM_RIGHT and FATHOM_HIP_CAUSAL_TOP_LEFT, or 0";
  }
  for (const int side : {a.window_left, a.window_right}) {
    if (side >= -1) continue;
    return "a window side of " + std::to_string(side) + "; -1 is the one that has no end";
  }
  return std::nullopt;
}

void check(const fathom_hip_attention& a, bool backward) {
  for (const auto why : {why_no_kernel, why_counts_unfit, why_mask_unfit}) {
    if (const Why found = why(a)) throw BadCall(*found);
  }
  for (const Operand& operand : operands(a, backward)) {
    if (const Why found = why_operand_unfit(operand)) throw BadCall(*found);
  }
}

/// `count` first tokens in `cu`: why they are none of `tokens` rows.
Why why_starts_unfit(const char* name, const int* cu, int sequences, int tokens) {
  const std::string what = name;
  if (cu[0] < 0) return what + " begins with " + std::to_string(cu[0]);
  for (int i = 0; i < sequences; ++i) {
    if (cu[i + 1] < cu[i]) {
      return what + " falls from " + std::to_string(cu[i]) + " to " + std::to_string(cu[i + 1]) +
             " at entry " + std::to_string(i + 1);
    }
  }
  if (cu[sequences] <= tokens) return std::nullopt;
  return what + " ends with " + std::to_string(cu[sequences]) + ", but there are " +
         std::to_string(tokens) + " tokens";
}

/// Lengths of each sequence that are given beside its first token; null: none are.
Why why_used_unfit(const char* name, const int* used, const int* cu, int sequences) {
  for (int i = 0; used != nullptr && i < sequences; ++i) {
    if (used[i] >= 0 && used[i] <= cu[i + 1] - cu[i]) continue;
    return std::string(name) + " of sequence " + std::to_string(i) + " is " +
           std::to_string(used[i]) + "; the sequence has " + std::to_string(cu[i + 1] - cu[i]);
  }
  return std::nullopt;
}

int side_of(int window) {
  return window < 0 ? unlimited : std::min(window, unlimited);
}

/// Up to the last channel of the last row, which the executor holds accesses against.
template <typename T>
Rows<T> rows_of(const fathom_hip_tensor& tensor, const char* name, const fathom_hip_attention& a,
                bool by_keys = false) {
  const std::int64_t tokens = by_keys ? a.key_tokens : a.query_tokens;
  const std::int64_t heads = by_keys ? a.kv_heads : a.query_heads;
  const std::int64_t channels = sizeof(T) == sizeof(float) ? 1 : a.head_dim;
  const std::int64_t last = (tokens - 1) * tensor.token_stride + (heads - 1) * tensor.head_stride +
                            (a.sequences - 1) * tensor.sequence_stride;
  return {{static_cast<T*>(tensor.data), tokens == 0 ? 0 : last + channels, name},
          tensor.token_stride,
          tensor.head_stride,
          tensor.sequence_stride};
}

Global<const int> array_of(const int* numbers, int count, const char* name) {
  return {numbers, numbers == nullptr ? 0 : count, name};
}

Arguments arguments_of(const fathom_hip_attention& a, bool backward) {
  using In = const std::uint16_t;
  using Out = std::uint16_t;
  Arguments arguments;
  arguments.q = rows_of<In>(a.q, "Q", a);
  arguments.k = rows_of<In>(a.k, "K", a, true);
  arguments.v = rows_of<In>(a.v, "V", a, true);
  arguments.o = rows_of<Out>(a.o, "O", a);
  arguments.lse = rows_of<float>(a.lse, "LSE", a);
  if (backward) {
    arguments.dout = rows_of<In>(a.dout, "dO", a);
    arguments.dlse = rows_of<const float>(a.dlse, "dLSE", a);
    arguments.dq = rows_of<Out>(a.dq, "dQ", a);
    arguments.dk = rows_of<Out>(a.dk, "dK", a, true);
    arguments.dv = rows_of<Out>(a.dv, "dV", a, true);
  }
  arguments.sequences = {.count = a.sequences,
                         .query_tokens = a.query_tokens,
                         .key_tokens = a.key_tokens,
                         .cu_q = array_of(a.cu_seqlens_q, a.sequences + 1, "cu_seqlens of Q"),
                         .cu_k = array_of(a.cu_seqlens_k, a.sequences + 1, "cu_seqlens of K"),
                         .used_q = array_of(a.used_q, a.sequences, "used queries"),
                         .used_k = array_of(a.used_k, a.sequences, "used keys"),
                         .prefix = array_of(a.prefix_lens, a.sequences, "prefix lengths")};
  arguments.mask = mask_rule(a);
  arguments.query_heads = a.query_heads;
  arguments.group = a.query_heads / a.kv_heads;
  arguments.scale = a.softmax_scale;
  return arguments;
}

ElementType element_of(const fathom_hip_attention& a) {
  return a.dtype == FATHOM_HIP_F16 ? ElementType::f16 : ElementType::bf16;
}

}  // namespace

std::optional<std::string> why_no_kernel(const fathom_hip_attention& a) {
  if (a.dtype != FATHOM_HIP_BF16 && a.dtype != FATHOM_HIP_F16) {
    return "dtype " + std::to_string(a.dtype) + " is neither FATHOM_HIP_BF16 nor FATHOM_HIP_F16";
  }
  constexpr int dims[] = {64, 96, 128, 256};
  if (std::find(std::begin(dims), std::end(dims), a.head_dim) == std::end(dims)) {
    return "no kernel is built for head dim " + std::to_string(a.head_dim) +
           "; there are 64, 96, 128 and 256";
  }
  if (!(a.softmax_scale > 0) || std::isinf(a.softmax_scale)) {
    return "the scale must be above 0 and finite: the row maximum is taken before it";
  }
  return why_heads_unfit(a);
}

std::optional<std::string> why_lengths_unfit(const fathom_hip_attention& a) {
  if (Why why = why_counts_unfit(a)) return why;
  if (a.cu_seqlens_k[0] != 0) return "cu_seqlens_k does not begin with 0";
  for (const Why& why :
       {why_starts_unfit("cu_seqlens_q", a.cu_seqlens_q, a.sequences, a.query_tokens),
        why_starts_unfit("cu_seqlens_k", a.cu_seqlens_k, a.sequences, a.key_tokens),
        why_used_unfit("used_q", a.used_q, a.cu_seqlens_q, a.sequences),
        why_used_unfit("used_k", a.used_k, a.cu_seqlens_k, a.sequences),
        why_used_unfit("prefix_lens", a.prefix_lens, a.cu_seqlens_k, a.sequences)}) {
    if (why) return why;
  }
  return std::nullopt;
}

MaskRule mask_rule(const fathom_hip_attention& a) {
  MaskRule rule{side_of(a.window_left), side_of(a.window_right), false, a.prefix_lens != nullptr};
  if ((a.causal & FATHOM_HIP_CAUSAL_BOTTOM_RIGHT) != 0) rule.right = 0;
  rule.top_left = (a.causal & FATHOM_HIP_CAUSAL_TOP_LEFT) != 0;
  return rule;
}

std::size_t workspace_bytes(const fathom_hip_attention& a) {
  return 2 * sizeof(float) * static_cast<std::size_t>(std::max(a.query_tokens, 0)) *
         static_cast<std::size_t>(std::max(a.query_heads, 0));
}

void run_forward(const Launcher& launcher, const fathom_hip_attention& a, void* stream) {
  check(a, false);
  launcher.launch(Kernel::forward, element_of(a), a.head_dim, arguments_of(a, false), stream);
}

void run_backward(const Launcher& launcher, const fathom_hip_attention& a, void* workspace,
                  std::size_t bytes, void* stream) {
  check(a, true);
  const std::size_t needed = workspace_bytes(a);
  if (bytes < needed || (workspace == nullptr && needed > 0)) {
    throw BadCall("the workspace has " + std::to_string(workspace == nullptr ? 0 : bytes) +
                  " bytes; " + std::to_string(needed) + " are needed");
  }
  if (!is_aligned(workspace, alignment)) throw BadCall("the workspace is not aligned to 16 bytes");
  Arguments arguments = arguments_of(a, true);
  const fathom_hip_tensor rows{workspace, 1, a.query_tokens, 0};
  arguments.row_log2 = rows_of<float>(rows, "LSE in base 2", a);
  arguments.row_delta = rows_of<float>(rows, "delta", a);
  arguments.row_delta.memory.data += needed / sizeof(float) / 2;
  for (const Kernel kernel : {Kernel::row_data, Kernel::key_gradient, Kernel::query_gradient}) {
    launcher.launch(kernel, element_of(a), a.head_dim, arguments, stream);
  }
}

}  // namespace fathom::hip
