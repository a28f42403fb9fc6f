// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/fathom_hip.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <tuple>

// The kernel as operators of torch: torch.ops.fathom_hip.prefix_lm_fwd and prefix_lm_bwd, on the
// CPU by the executor, on GPUs by the kernels of this build. All of it goes by the C interface.
namespace {

using at::Tensor;
using c10::SymInt;
using OptionalTensor = std::optional<Tensor>;
using Scale = std::optional<double>;
using Pair = std::tuple<Tensor, Tensor>;
using Triple = std::tuple<Tensor, Tensor, Tensor>;

constexpr const char* forward_schema =
    "prefix_lm_fwd(Tensor q, Tensor k, Tensor v, Tensor cu_seqlens_q, Tensor cu_seqlens_k, "
    "SymInt max_seqlen_q, SymInt max_seqlen_k, Tensor? prefix_lens=None, *, "
    "float? softmax_scale=None, bool causal=False, int window_size_left=-1, "
    "int window_size_right=-1) -> (Tensor o, Tensor lse)";
constexpr const char* backward_schema =
    "prefix_lm_bwd(Tensor dout, Tensor? dlse, Tensor q, Tensor k, Tensor v, Tensor o, Tensor lse, "
    "Tensor cu_seqlens_q, Tensor cu_seqlens_k, SymInt max_seqlen_q, SymInt max_seqlen_k, "
    "Tensor? prefix_lens=None, *, float? softmax_scale=None, bool causal=False, "
    "int window_size_left=-1, int window_size_right=-1) -> (Tensor dq, Tensor dk, Tensor dv)";

/// What both operators take beside the tensors of one pass.
struct Sequences {
  const Tensor& cu_q;
  const Tensor& cu_k;
  std::int64_t max_q;
  std::int64_t max_k;
  const OptionalTensor& prefix;
};
struct Options {
  Scale scale;
  bool causal;
  std::int64_t left;
  std::int64_t right;
};

// What is refused, before the C interface refuses the rest.

void check_rows(const char* name, const Tensor& tensor, const Tensor& like) {
  TORCH_CHECK(tensor.dim() == 3, "prefix_lm: ", name, " has ", tensor.dim(),
              " dimensions; it must be (tokens, heads, channels)");
  TORCH_CHECK(tensor.scalar_type() == like.scalar_type(), "prefix_lm: ", name, " is ",
              tensor.scalar_type(), " and q is ", like.scalar_type(), "; they must agree");
  TORCH_CHECK(tensor.device() == like.device(), "prefix_lm: ", name, " is on ", tensor.device(),
              " and q on ", like.device());
  TORCH_CHECK(tensor.size(2) == like.size(2), "prefix_lm: ", name, " has ", tensor.size(2),
              " channels and q has ", like.size(2), "; they must agree");
}

void check_same_shape(const char* name, const Tensor& tensor, const Tensor& like) {
  TORCH_CHECK(tensor.sizes() == like.sizes(), "prefix_lm: ", name, " has shape ", tensor.sizes(),
              "; ", like.sizes(), " is due");
}

void check_lengths(const char* name, const Tensor& tensor, const Tensor& like, std::int64_t count) {
  TORCH_CHECK(tensor.scalar_type() == at::kInt && tensor.dim() == 1 && tensor.is_contiguous(),
              "prefix_lm: ", name, " must be contiguous int32 of one dimension");
  TORCH_CHECK(tensor.device() == like.device(), "prefix_lm: ", name, " is on ", tensor.device(),
              " and q on ", like.device());
  TORCH_CHECK(tensor.numel() == count, "prefix_lm: ", name, " has ", tensor.numel(), " entries; ",
              count, " are due");
}

/// The kernel needs no longest sequence. On a CPU, where it costs nothing, a wrong one is said.
void check_longest(const char* name, const Tensor& cu, std::int64_t longest) {
  const int* starts = cu.const_data_ptr<int>();
  for (std::int64_t i = 0; i + 1 < cu.numel(); ++i) {
    TORCH_CHECK(starts[i + 1] - starts[i] <= longest, "prefix_lm: ", name, " is ", longest,
                ", but sequence ", i, " has ", starts[i + 1] - starts[i], " tokens");
  }
}

void check_inputs(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& s) {
  check_rows("q", q, q);
  check_rows("k", k, q);
  check_rows("v", v, q);
  check_same_shape("v", v, k);
  TORCH_CHECK(s.cu_q.numel() > 1, "prefix_lm: cu_seqlens_q names no sequence");
  check_lengths("cu_seqlens_q", s.cu_q, q, s.cu_q.numel());
  check_lengths("cu_seqlens_k", s.cu_k, q, s.cu_q.numel());
  if (s.prefix) check_lengths("prefix_lens", *s.prefix, q, s.cu_q.numel() - 1);
  if (!q.is_cpu()) return;
  check_longest("max_seqlen_q", s.cu_q, s.max_q);
  check_longest("max_seqlen_k", s.cu_k, s.max_k);
}

// The call.

/// As the kernel can read it: channels side by side, rows and data aligned. Else a copy.
Tensor readable(const Tensor& tensor) {
  const bool fits = tensor.stride(2) == 1 && tensor.stride(0) % 8 == 0 &&
                    tensor.stride(1) % 8 == 0 && tensor.stride(0) <= 1 << 22 &&
                    reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % 16 == 0;
  return fits ? tensor : tensor.clone(at::MemoryFormat::Contiguous);
}

fathom_hip_tensor rows_of(const Tensor& tensor) {
  return {const_cast<void*>(tensor.const_data_ptr()), tensor.stride(0), tensor.stride(1), 0};
}

/// An LSE, (heads, tokens).
fathom_hip_tensor numbers_of(const Tensor& tensor) {
  return {const_cast<void*>(tensor.const_data_ptr()), tensor.stride(1), tensor.stride(0), 0};
}

int narrow(std::int64_t number) {
  return static_cast<int>(std::clamp<std::int64_t>(number, INT32_MIN, INT32_MAX));
}

fathom_hip_attention attention_of(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const Sequences& s, const Options& options) {
  TORCH_CHECK(q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kHalf, "prefix_lm: q is ",
              q.scalar_type(), "; it must be bfloat16 or float16");
  fathom_hip_attention a{};
  a.dtype = q.scalar_type() == at::kHalf ? FATHOM_HIP_F16 : FATHOM_HIP_BF16;
  a.head_dim = narrow(q.size(2));
  a.query_heads = narrow(q.size(1));
  a.kv_heads = narrow(k.size(1));
  a.softmax_scale =
      static_cast<float>(options.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(2)))));
  a.sequences = narrow(s.cu_q.numel() - 1);
  a.query_tokens = narrow(q.size(0));
  a.key_tokens = narrow(k.size(0));
  a.cu_seqlens_q = s.cu_q.const_data_ptr<int>();
  a.cu_seqlens_k = s.cu_k.const_data_ptr<int>();
  a.prefix_lens = s.prefix ? s.prefix->const_data_ptr<int>() : nullptr;
  a.causal = options.causal ? FATHOM_HIP_CAUSAL_BOTTOM_RIGHT : 0;
  a.window_left = narrow(options.left);
  a.window_right = narrow(options.right);
  a.q = rows_of(q);
  a.k = rows_of(k);
  a.v = rows_of(v);
  return a;
}

/// The executor for tensors on the CPU; for others the GPU that this build is for.
fathom_hip_platform platform_of(const Tensor& q) {
  if (q.is_cpu()) return FATHOM_HIP_HOST64;
  if (fathom_hip_why_absent(FATHOM_HIP_NVIDIA) == nullptr) return FATHOM_HIP_NVIDIA;
  const char* why = fathom_hip_why_absent(FATHOM_HIP_AMD);
  TORCH_CHECK(why == nullptr, "prefix_lm: no kernel for tensors on ", q.device(),
              ". NVIDIA: ", fathom_hip_why_absent(FATHOM_HIP_NVIDIA), ". AMD: ", why, ".");
  return FATHOM_HIP_AMD;
}

void* stream_of(const Tensor& q) {
  if (q.is_cpu()) return nullptr;
  return at::accelerator::getCurrentStream(q.device().index()).native_handle();
}

void check_status(fathom_hip_status status) {
  TORCH_CHECK(status == FATHOM_HIP_OK, "prefix_lm: ", fathom_hip_last_error());
}

/// (o, lse), where rows behind the last sequence are zero.
Pair forward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& cu_q,
             const Tensor& cu_k, std::int64_t max_q, std::int64_t max_k,
             const OptionalTensor& prefix, Scale scale, bool causal, std::int64_t left,
             std::int64_t right) {
  const Sequences sequences{cu_q, cu_k, max_q, max_k, prefix};
  check_inputs(q, k, v, sequences);
  const c10::DeviceGuard guard(q.device());
  const Tensor q_rows = readable(q);
  const Tensor k_rows = readable(k);
  const Tensor v_rows = readable(v);
  Tensor o = at::zeros(q.sizes(), q.options());
  Tensor lse = at::zeros({q.size(1), q.size(0)}, q.options().dtype(at::kFloat));
  fathom_hip_attention a =
      attention_of(q_rows, k_rows, v_rows, sequences, {scale, causal, left, right});
  a.o = rows_of(o);
  a.lse = numbers_of(lse);
  check_status(fathom_hip_forward(platform_of(q), &a, stream_of(q)));
  return {o, lse};
}

Triple backward(const Tensor& dout, const OptionalTensor& dlse, const Tensor& q, const Tensor& k,
                const Tensor& v, const Tensor& o, const Tensor& lse, const Tensor& cu_q,
                const Tensor& cu_k, std::int64_t max_q, std::int64_t max_k,
                const OptionalTensor& prefix, Scale scale, bool causal, std::int64_t left,
                std::int64_t right) {
  const Sequences sequences{cu_q, cu_k, max_q, max_k, prefix};
  check_inputs(q, k, v, sequences);
  check_rows("dout", dout, q);
  check_same_shape("dout", dout, q);
  check_rows("o", o, q);
  check_same_shape("o", o, q);
  for (const OptionalTensor& one : {OptionalTensor(lse), dlse}) {
    TORCH_CHECK(!one || (one->scalar_type() == at::kFloat && one->dim() == 2 &&
                         one->size(0) == q.size(1) && one->size(1) == q.size(0)),
                "prefix_lm: lse and dlse must be float32 of shape (heads, tokens)");
  }
  const c10::DeviceGuard guard(q.device());
  const Tensor rows[] = {readable(q), readable(k), readable(v), readable(o), readable(dout)};
  Tensor dq = at::zeros(q.sizes(), q.options());
  Tensor dk = at::zeros(k.sizes(), k.options());
  Tensor dv = at::zeros(v.sizes(), v.options());
  fathom_hip_attention a =
      attention_of(rows[0], rows[1], rows[2], sequences, {scale, causal, left, right});
  a.o = rows_of(rows[3]);
  a.dout = rows_of(rows[4]);
  a.lse = numbers_of(lse);
  if (dlse) a.dlse = numbers_of(*dlse);
  a.dq = rows_of(dq);
  a.dk = rows_of(dk);
  a.dv = rows_of(dv);
  const auto bytes = static_cast<std::int64_t>(fathom_hip_workspace_bytes(&a));
  const Tensor workspace = at::empty({bytes}, q.options().dtype(at::kByte));
  check_status(fathom_hip_backward(platform_of(q), &a, workspace.mutable_data_ptr(),
                                   static_cast<std::size_t>(bytes), stream_of(q)));
  return {dq, dk, dv};
}

// Shapes alone.

Pair forward_meta(const Tensor& q, const Tensor& /*k*/, const Tensor& /*v*/, const Tensor& /*cu_q*/,
                  const Tensor& /*cu_k*/, SymInt /*max_q*/, SymInt /*max_k*/,
                  const OptionalTensor& /*prefix*/, Scale /*scale*/, bool /*causal*/,
                  std::int64_t /*left*/, std::int64_t /*right*/) {
  return {at::empty_symint(q.sym_sizes(), q.options()),
          at::empty_symint({q.sym_size(1), q.sym_size(0)}, q.options().dtype(at::kFloat))};
}

Triple backward_meta(const Tensor& /*dout*/, const OptionalTensor& /*dlse*/, const Tensor& q,
                     const Tensor& k, const Tensor& v, const Tensor& /*o*/, const Tensor& /*lse*/,
                     const Tensor& /*cu_q*/, const Tensor& /*cu_k*/, SymInt /*max_q*/,
                     SymInt /*max_k*/, const OptionalTensor& /*prefix*/, Scale /*scale*/,
                     bool /*causal*/, std::int64_t /*left*/, std::int64_t /*right*/) {
  return {at::empty_symint(q.sym_sizes(), q.options()),
          at::empty_symint(k.sym_sizes(), k.options()),
          at::empty_symint(v.sym_sizes(), v.options())};
}

// Gradients.

template <typename Signature>
c10::TypedOperatorHandle<Signature> operator_named(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

using ForwardSignature = Pair(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                              const Tensor&, SymInt, SymInt, const OptionalTensor&, Scale, bool,
                              std::int64_t, std::int64_t);
using BackwardSignature = Triple(const Tensor&, const OptionalTensor&, const Tensor&, const Tensor&,
                                 const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                 const Tensor&, SymInt, SymInt, const OptionalTensor&, Scale, bool,
                                 std::int64_t, std::int64_t);

class Differentiable : public torch::autograd::Function<Differentiable> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

 public:
  static Tensors forward(Context* context, const Tensor& q, const Tensor& k, const Tensor& v,
                         const Tensor& cu_q, const Tensor& cu_k, const SymInt& max_q,
                         const SymInt& max_k, const OptionalTensor& prefix, Scale scale,
                         bool causal, std::int64_t left, std::int64_t right) {
    const at::AutoDispatchBelowADInplaceOrView below;
    static const auto op = operator_named<ForwardSignature>("fathom_hip::prefix_lm_fwd");
    const auto [o, lse] =
        op.call(q, k, v, cu_q, cu_k, max_q, max_k, prefix, scale, causal, left, right);
    context->save_for_backward({q, k, v, o, lse, cu_q, cu_k, prefix.value_or(Tensor())});
    context->saved_data["options"] = std::make_tuple(scale, causal, left, right);
    context->saved_data["max_q"] = max_q;
    context->saved_data["max_k"] = max_k;
    context->set_materialize_grads(false);
    return {o, lse};
  }

  static Tensors backward(Context* context, const Tensors& cotangents) {
    static const auto op = operator_named<BackwardSignature>("fathom_hip::prefix_lm_bwd");
    const Tensors saved = context->get_saved_variables();
    const auto [scale, causal, left, right] =
        context->saved_data["options"].to<std::tuple<Scale, bool, std::int64_t, std::int64_t>>();
    const auto given = [](const Tensor& tensor) {
      return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
    };
    const Tensor dout = cotangents[0].defined() ? cotangents[0] : at::zeros_like(saved[3]);
    const auto [dq, dk, dv] = op.call(
        dout, given(cotangents[1]), saved[0], saved[1], saved[2], saved[3], saved[4], saved[5],
        saved[6], context->saved_data["max_q"].toSymInt(), context->saved_data["max_k"].toSymInt(),
        given(saved[7]), scale, causal, left, right);
    Tensors gradients{dq, dk, dv};
    gradients.resize(12);  // Of the other arguments there are none.
    return gradients;
  }
};

Pair forward_autograd(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& cu_q,
                      const Tensor& cu_k, SymInt max_q, SymInt max_k, const OptionalTensor& prefix,
                      Scale scale, bool causal, std::int64_t left, std::int64_t right) {
  const auto found =
      Differentiable::apply(q, k, v, cu_q, cu_k, max_q, max_k, prefix, scale, causal, left, right);
  return {found[0], found[1]};
}

}  // namespace

TORCH_LIBRARY(fathom_hip, library) {
  library.def(forward_schema, {at::Tag::pt2_compliant_tag});
  library.def(backward_schema, {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(fathom_hip, CPU, library) {
  library.impl("prefix_lm_fwd", &forward);
  library.impl("prefix_lm_bwd", &backward);
}
TORCH_LIBRARY_IMPL(fathom_hip, CUDA, library) {
  library.impl("prefix_lm_fwd", &forward);
  library.impl("prefix_lm_bwd", &backward);
}
TORCH_LIBRARY_IMPL(fathom_hip, Meta, library) {
  library.impl("prefix_lm_fwd", &forward_meta);
  library.impl("prefix_lm_bwd", &backward_meta);
}
TORCH_LIBRARY_IMPL(fathom_hip, Autograd, library) {
  library.impl("prefix_lm_fwd", &forward_autograd);
  library.impl("prefix_lm_bwd", torch::autograd::autogradNotImplementedFallback());
}
