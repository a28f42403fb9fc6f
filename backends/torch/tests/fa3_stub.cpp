// SPDX-License-Identifier: Apache-2.0
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

// The ops of a FlashAttention-3 library, by its schemas, computed from the definition on a CPU. The
// environment variable FATHOM_FA3_STUB names one convention to get wrong, or says fa3_fwd: that
// operator library, with what its build has switched off.

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

bool planted(const char* fault) {
  const char* wanted = std::getenv("FATHOM_FA3_STUB");
  return wanted != nullptr && std::string(wanted) == fault;
}

bool forward_only() {
  return planted("fa3_fwd");
}

/// The arguments of one call, by the names of the schema.
class Call {
 public:
  Call(const c10::OperatorHandle& op, const torch::jit::Stack& stack)
      : schema_(op.schema()), values_(stack.end() - std::ptrdiff_t(schema_.arguments().size())) {}

  [[nodiscard]] const c10::IValue& operator[](const std::string& name) const {
    return values_[*schema_.argumentIndexWithName(name)];
  }
  [[nodiscard]] at::Tensor tensor(const std::string& name) const {
    const c10::IValue& value = (*this)[name];
    return value.isNone() ? at::Tensor() : value.toTensor();
  }
  [[nodiscard]] bool is_given(const std::string& name) const { return !(*this)[name].isNone(); }

 private:
  const c10::FunctionSchema& schema_;
  torch::jit::Stack::const_iterator values_;
};

/// Where the rows of a sequence lie, in a dense batch or among packed tokens.
struct Rows {
  int64_t batch = -1;  ///< Of a dense batch; -1: packed.
  int64_t begin = 0;
  int64_t count = 0;

  [[nodiscard]] at::Tensor of(const at::Tensor& whole) const {
    return (batch < 0 ? whole : whole[batch]).narrow(0, begin, count);
  }
};

Rows rows_of(const Call& call, const std::string& side, const at::Tensor& tensor, int64_t i) {
  const at::Tensor starts = call.tensor("cu_seqlens_" + side);
  const at::Tensor used = call.tensor("seqused_" + side);
  Rows rows{i, 0, tensor.size(1)};
  if (starts.defined()) {
    const auto begin = starts[i].item<int64_t>();
    rows = {-1, begin, starts[i + 1].item<int64_t>() - begin};
  }
  if (used.defined() && !planted("seqused_ignored")) rows.count = used[i].item<int64_t>();
  return rows;
}

int64_t sequence_count(const Call& call) {
  const at::Tensor starts = call.tensor("cu_seqlens_q");
  return starts.defined() ? starts.size(0) - 1 : call.tensor("q").size(0);
}

double scale_of(const Call& call) {
  const c10::IValue& given = call["softmax_scale"];
  if (!given.isNone()) return given.toDouble();
  return 1 / std::sqrt(static_cast<double>(call.tensor("q").size(-1)));
}

/// (sq, sk): what the flag and the window hide, from the bottom-right corner.
at::Tensor hidden(const Call& call, int64_t queries, int64_t keys) {
  const bool is_causal = call["is_causal"].toBool();
  int64_t left = call["window_size_left"].toInt();
  int64_t right = is_causal ? 0 : call["window_size_right"].toInt();
  int64_t shift = keys - queries;
  if (planted("window_off_by_one") && left > 0) --left;
  if (planted("causal_top_left") && is_causal) shift = 0;
  if (planted("second_pass_without_offset") && is_causal && call.is_given("seqused_q")) shift = 0;
  const at::Tensor distance =
      at::arange(keys).unsqueeze(0) - at::arange(queries).unsqueeze(1) - shift;
  at::Tensor hides = at::zeros({queries, keys}, at::kBool);
  if (left >= 0) hides = hides.logical_or(distance < -left);
  if (right >= 0) hides = hides.logical_or(distance > right);
  return hides;
}

/// (S,Hk,D) rows as fp32 (H,S,D), one for each query head.
at::Tensor per_query_head(const at::Tensor& rows, int64_t heads) {
  const at::Tensor by_head = rows.to(at::kFloat).transpose(0, 1);
  const int64_t group = heads / rows.size(1);
  return planted("gqa_interleaved") ? by_head.repeat({group, 1, 1})
                                    : by_head.repeat_interleave(group, 0);
}

/// (H,S,D) gradients of query heads as sums (S,Hk,D).
at::Tensor per_kv_head(const at::Tensor& gradient, int64_t kv_heads) {
  const int64_t group = gradient.size(0) / kv_heads;
  const at::Tensor sums = planted("gqa_interleaved")
                              ? gradient.unflatten(0, {group, kv_heads}).sum(0)
                              : gradient.unflatten(0, {kv_heads, group}).sum(1);
  return sums.transpose(0, 1);
}

/// As operands of a matrix unit that takes the tensors' dtype.
at::Tensor rounded(const at::Tensor& numbers, const at::Tensor& like) {
  return numbers.to(like.scalar_type()).to(at::kFloat);
}

/// What a caller gets instead of the LSE (H,T) or (B,H,S), and back.
at::Tensor told(const at::Tensor& lse) {
  if (planted("lse_base_2")) return lse / std::log(2.0);
  if (!planted("lse_layout")) return lse;
  return lse.transpose(-1, -2).contiguous().view(lse.sizes());
}
at::Tensor meant(const at::Tensor& lse) {
  if (planted("lse_base_2")) return lse * std::log(2.0);
  if (!planted("lse_layout")) return lse;
  std::vector<int64_t> sizes = lse.sizes().vec();
  std::swap(sizes[sizes.size() - 1], sizes[sizes.size() - 2]);
  return lse.view(sizes).transpose(-1, -2);
}

/// (H,S) of one sequence.
at::Tensor lse_rows(const at::Tensor& lse, const Rows& rows) {
  return (rows.batch < 0 ? lse : lse[rows.batch]).narrow(1, rows.begin, rows.count);
}

/// What the build of the wheel fa3-fwd refuses.
void check_switched_off(const Call& call) {
  const at::Tensor q = call.tensor("q");
  const at::Tensor k = call.tensor("k");
  TORCH_CHECK(q.scalar_type() != at::kHalf, "This flash attention build does not support FP16.");
  const auto matters = [&](const std::string& window, const at::Tensor& rows) {
    const int64_t side = call[window].toInt();
    return side >= 0 && side < rows.size(-3) - 1;
  };
  TORCH_CHECK(!matters("window_size_left", k) &&
                  (call["is_causal"].toBool() || !matters("window_size_right", q)),
              "This flash attention build does not support local attention.");
}

void check(const Call& call) {
  const at::Tensor q = call.tensor("q");
  const at::Tensor k = call.tensor("k");
  const at::Tensor v = call.tensor("v");
  TORCH_CHECK(q.scalar_type() == at::kHalf || q.scalar_type() == at::kBFloat16,
              "FlashAttention only supports fp16, bf16, and fp8_e4m3 data type");
  for (const at::Tensor& tensor : {q, k, v}) {
    TORCH_CHECK(tensor.stride(-1) == 1, "Input tensor must have contiguous last dimension");
  }
  TORCH_CHECK(q.size(-1) % 8 == 0, "head_size should be a multiple of 8");
  TORCH_CHECK(q.size(-1) <= 256, "FlashAttention forward only supports head dimension at most 256");
  const int64_t d = q.size(-1);
  const int64_t dv = v.size(-1);
  TORCH_CHECK(
      d == dv || (d > 128 && d <= 192 && dv > 96 && dv <= 128) || (d <= 64 && dv <= 512),
      "If V headdim is different from Q/K dim, we only support Q/K headdim in (128, 192] and "
      "V headdim in (96, 128], or (Q/K <= 64 and V <= 512).");
  for (const std::string side : {"q", "k"}) {
    const at::Tensor starts = call.tensor("cu_seqlens_" + side);
    if (!starts.defined()) continue;
    TORCH_CHECK(starts.scalar_type() == at::kInt, "cu_seqlens must have dtype torch.int32");
    TORCH_CHECK(call.is_given("max_seqlen_" + side), "max_seqlen_", side,
                " must be provided if cu_seqlens_", side, " is provided");
  }
  if (forward_only()) check_switched_off(call);
}

void forward(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const Call call(op, *stack);
  check(call);
  const at::Tensor q = call.tensor("q");
  const at::Tensor k = call.tensor("k");
  const at::Tensor v = call.tensor("v");
  const at::Tensor out = call.tensor("out");
  TORCH_CHECK(out.defined(), "the stub writes into a given output only");
  const bool packed = q.dim() == 3;
  const int64_t heads = q.size(-2);
  const auto sizes =
      packed ? std::vector{heads, q.size(0)} : std::vector{q.size(0), heads, q.size(1)};
  // Rows that nobody uses keep what the allocation held.
  at::Tensor lse = at::full(sizes, std::nan(""), at::kFloat);
  for (int64_t i = 0; i < sequence_count(call); ++i) {
    const Rows queries = rows_of(call, "q", q, i);
    const Rows keys = rows_of(call, "k", k, i);
    const at::Tensor scores = queries.of(q)
                                  .to(at::kFloat)
                                  .transpose(0, 1)
                                  .matmul(per_query_head(keys.of(k), heads).transpose(1, 2)) *
                              scale_of(call);
    const at::Tensor shown = scores.masked_fill(hidden(call, queries.count, keys.count), -infinity);
    const at::Tensor sums = shown.logsumexp({2});
    // Relative to the largest, rounded, and divided by their sum only after the product.
    const at::Tensor most = keys.count == 0 ? sums : shown.amax({2});
    const at::Tensor largest = most.masked_fill(most == -infinity, 0).unsqueeze(2);
    const at::Tensor weights = rounded((shown - largest).exp(), q);
    const at::Tensor products = weights.matmul(per_query_head(keys.of(v), heads));
    const at::Tensor total = (sums.unsqueeze(2) - largest).exp();
    const at::Tensor o = (products / total.masked_fill(total == 0, 1)).transpose(0, 1);
    Rows written = queries;
    if (planted("last_row_unwritten") && written.count > 0) --written.count;
    written.of(out).copy_(o.narrow(0, 0, written.count));
    lse_rows(lse, queries).copy_(sums);
  }
  // Without a single key no kernel is started, and the host fills in another infinity than it does.
  if (k.numel() == 0) lse.fill_(infinity);
  torch::jit::drop(*stack, op.schema().arguments().size());
  torch::jit::push(*stack, out, told(lse), at::Tensor(), at::Tensor());
}

void backward(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  TORCH_CHECK(!forward_only(), "This flash attention build does not support backward.");
  const Call call(op, *stack);
  check(call);
  const at::Tensor q = call.tensor("q");
  const at::Tensor k = call.tensor("k");
  const at::Tensor v = call.tensor("v");
  const at::Tensor dk = call.tensor("dk");
  const at::Tensor dv = call.tensor("dv");
  const c10::IValue& longest = call["max_seqlen_q"];
  TORCH_CHECK(q.numel() == 0 || longest.isNone() || longest.toInt() > 0,
              "CUTLASS error: Error Internal");
  const at::Tensor lse = meant(call.tensor("softmax_lse"));
  const int64_t heads = q.size(-2);
  const int64_t kv_heads = k.size(-2);
  for (int64_t i = 0; i < sequence_count(call); ++i) {
    const Rows queries = rows_of(call, "q", q, i);
    const Rows keys = rows_of(call, "k", k, i);
    const auto of_queries = [&](const std::string& name) {
      return queries.of(call.tensor(name)).to(at::kFloat).transpose(0, 1);
    };
    const at::Tensor query = of_queries("q");
    const at::Tensor dout = of_queries("dout");
    const at::Tensor key = per_query_head(keys.of(k), heads);
    const at::Tensor value = per_query_head(keys.of(v), heads);
    const at::Tensor sums = lse_rows(lse, queries).unsqueeze(2);
    const at::Tensor scores = query.matmul(key.transpose(1, 2)) * scale_of(call);
    const at::Tensor weights =
        (scores - sums).exp().masked_fill(hidden(call, queries.count, keys.count), 0);
    const at::Tensor delta = (dout * of_queries("out")).sum(2, true);
    const at::Tensor dscores = rounded(weights * (dout.matmul(value.transpose(1, 2)) - delta), q);
    queries.of(call.tensor("dq")).copy_((dscores.matmul(key) * scale_of(call)).transpose(0, 1));
    if (planted("dk_not_summed") && call.is_given("seqused_k")) continue;
    const at::Tensor p = rounded(weights, q);
    keys.of(dk).copy_(
        per_kv_head(dscores.transpose(1, 2).matmul(query) * scale_of(call), kv_heads));
    keys.of(dv).copy_(per_kv_head(p.transpose(1, 2).matmul(dout), kv_heads));
  }
  torch::jit::drop(*stack, op.schema().arguments().size());
  torch::jit::push(*stack, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor());
}

torch::Library defined() {
  torch::Library m(torch::Library::FRAGMENT, forward_only() ? "fa3_fwd" : "flash_attn_3",
                   std::nullopt, __FILE__, __LINE__);
  TORCH_CHECK(!planted("throws_on_load"), "planted");
  m.def(
      "fwd(Tensor q, Tensor k, Tensor v, Tensor(k_new!)? k_new=None, Tensor(v_new!)? v_new=None, "
      "Tensor? q_v=None, Tensor(out!)? out=None, Tensor? cu_seqlens_q=None, "
      "Tensor? cu_seqlens_k=None, Tensor? cu_seqlens_k_new=None, Tensor? seqused_q=None, "
      "Tensor? seqused_k=None, int? max_seqlen_q=None, int? max_seqlen_k=None, "
      "Tensor? page_table=None, Tensor? kv_batch_idx=None, Tensor? leftpad_k=None, "
      "Tensor? rotary_cos=None, Tensor? rotary_sin=None, Tensor? seqlens_rotary=None, "
      "Tensor? q_descale=None, Tensor? k_descale=None, Tensor? v_descale=None, "
      "float? softmax_scale=None, bool is_causal=False, int window_size_left=-1, "
      "int window_size_right=-1, int attention_chunk=0, float softcap=0.0, "
      "bool is_rotary_interleaved=False, Tensor? scheduler_metadata=None, int num_splits=0, "
      "bool? pack_gqa=None, int sm_margin=0) -> (Tensor(out!), Tensor, Tensor, Tensor)");
  m.def(
      "bwd(Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out, Tensor softmax_lse, "
      "Tensor(dq!)? dq=None, Tensor(dk!)? dk=None, Tensor(dv!)? dv=None, "
      "Tensor? cu_seqlens_q=None, Tensor? cu_seqlens_k=None, Tensor? seqused_q=None, "
      "Tensor? seqused_k=None, int? max_seqlen_q=None, int? max_seqlen_k=None, "
      "float? softmax_scale=None, bool is_causal=False, int window_size_left=-1, "
      "int window_size_right=-1, float softcap=0.0, bool deterministic=False, "
      "int sm_margin=0) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  return m;
}

torch::Library implemented() {
  torch::Library m(torch::Library::IMPL, forward_only() ? "fa3_fwd" : "flash_attn_3",
                   c10::DispatchKey::CPU, __FILE__, __LINE__);
  m.impl("fwd", torch::CppFunction::makeFromBoxedFunction<&forward>());
  m.impl("bwd", torch::CppFunction::makeFromBoxedFunction<&backward>());
  return m;
}

const torch::Library definitions = defined();
const torch::Library implementations = implemented();

}  // namespace
