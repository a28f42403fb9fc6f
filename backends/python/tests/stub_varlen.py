# SPDX-License-Identifier: Apache-2.0
"""The backend `varlen` on a CPU, named `stub`: torch's varlen_attn over a stub of the op it calls, in plain torch.

    stub_varlen.py [PLANT]

The op is registered for CPUs, where torch has none, with FlashAttention-2's conventions: bottom-right, both ends of
a window seen, -1 for no end, LSE (H,T) and +inf for a row without a key. A PLANT breaks one of them:

    window         sees one key less on the left
    lse_layout     LSE in memory as (T,H)
    lengths        query and key lengths swapped
    top_left       causal from the top-left corner
    torch_2_10     no error: the signature of torch 2.10 and the LSE of its ROCm build, (B,H,longest)
"""

import pathlib
import sys

import torch
from torch.library import Library

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import fathom_worker  # noqa: E402
import varlen  # noqa: E402

INFINITY = float("inf")


def bounds(cu_seqlens):
    return list(zip(cu_seqlens.tolist(), cu_seqlens.tolist()[1:]))


def seen(queries, keys, is_causal, left, right, plant):
    """bool (queries, keys) of one sequence."""
    row, key = torch.arange(queries)[:, None], torch.arange(keys)[None, :]
    at = row + (keys - queries)
    if is_causal and plant == "top_left":
        return key <= row
    visible = torch.ones(queries, keys, dtype=torch.bool)
    if left >= 0:
        visible &= at - key <= (left - 1 if plant == "window" and left > 0 else left)
    if right >= 0 or is_causal:
        visible &= key - at <= (0 if is_causal else right)
    return visible


class Stub:
    """The two aten ops behind varlen_attn: q (T,H,d), k and v (T,Hkv,d), cu_seqlens (B+1)."""

    def __init__(self, plant):
        self.plant = plant

    def sequences(self, q, k, v, cu_q, cu_k, scale, is_causal, left, right):
        """Of each sequence: rows of its queries and keys, scores (H,queries,keys) in f32, hidden ones -inf."""
        if self.plant == "lengths":
            cu_q, cu_k = cu_k, cu_q
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        group = q.shape[1] // k.shape[1]
        wide = k.float().repeat_interleave(group, 1)
        for (q0, q1), (k0, k1) in zip(bounds(cu_q), bounds(cu_k)):
            scores = scale * torch.einsum("qhd,khd->hqk", q[q0:q1].float(), wide[k0:k1])
            visible = seen(*scores.shape[1:], is_causal, left, right, self.plant)
            yield slice(q0, q1), slice(k0, k1), scores.masked_fill(~visible, -INFINITY)

    def forward(self, query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, dropout_p, is_causal, return_debug_mask, *,
                scale=None, window_size_left=None, window_size_right=None, seqused_k=None, alibi_slopes=None,
                block_table=None, num_splits=None):  # fmt: skip
        group = query.shape[1] // key.shape[1]
        wide = value.float().repeat_interleave(group, 1)
        o = query.new_zeros(*query.shape[:2], value.shape[-1])
        lse = torch.full((query.shape[1], query.shape[0]), INFINITY)
        for rows, keys, scores in self.sequences(query, key, value, cum_seq_q, cum_seq_k, scale, is_causal,
                                                 window_size_left, window_size_right):  # fmt: skip
            top = scores.logsumexp(-1) if scores.shape[-1] else scores.new_full(scores.shape[:2], -INFINITY)
            p = torch.exp(scores - top.masked_fill(top == -INFINITY, 0)[..., None])
            o[rows] = torch.einsum("hqk,khd->qhd", p, wide[keys]).to(o.dtype)
            lse[:, rows] = top.masked_fill(top == -INFINITY, INFINITY)
        if self.plant == "lse_layout":
            lse = lse.T.contiguous().view(lse.shape)
        return o, lse, torch.zeros(2, dtype=torch.uint64), torch.empty(0), torch.empty(0)

    def backward(self, grad_out, query, key, value, out, logsumexp, cum_seq_q, cum_seq_k, max_q, max_k, dropout_p,
                 is_causal, rng_state, unused, *, scale=None, window_size_left=None,
                 window_size_right=None):  # fmt: skip
        hkv, group = key.shape[1], query.shape[1] // key.shape[1]
        factor = query.shape[-1] ** -0.5 if scale is None else scale
        q, do = query.float(), grad_out.float()
        k, v = (tensor.float().repeat_interleave(group, 1) for tensor in (key, value))
        dq, dk, dv = (torch.zeros_like(tensor) for tensor in (q, k, v))
        delta = (do * out.float()).sum(-1)
        for rows, keys, scores in self.sequences(query, key, value, cum_seq_q, cum_seq_k, scale, is_causal,
                                                 window_size_left, window_size_right):  # fmt: skip
            p = torch.exp(scores - logsumexp[:, rows, None])
            ds = factor * p * (torch.einsum("qhd,khd->hqk", do[rows], v[keys]) - delta[rows].T[..., None])
            dq[rows] = torch.einsum("hqk,khd->qhd", ds, k[keys])
            dk[keys] = torch.einsum("hqk,qhd->khd", ds, q[rows])
            dv[keys] = torch.einsum("hqk,qhd->khd", p, do[rows])
        dk, dv = (grad.unflatten(1, (hkv, group)).sum(2) for grad in (dk, dv))
        return dq.to(query.dtype), dk.to(key.dtype), dv.to(value.dtype)


def register(plant):
    """The stub as torch's op on CPUs; the library must outlive every call."""
    stub, library = Stub(plant), Library("aten", "IMPL")
    library.impl("_flash_attention_forward", stub.forward, "CPU")
    library.impl("_flash_attention_backward", stub.backward, "CPU")
    return library


def varlen_attn_2_10(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None):
    """As torch 2.10 has it, on ROCm: no window, no scale, no grouped heads, LSE (B,H,longest)."""
    o, lse, *_ = torch.ops.aten._flash_attention_forward(
        query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, 0.0, is_causal, False,
        window_size_left=-1, window_size_right=-1)  # fmt: skip
    if return_aux is None:
        return o
    padded = torch.zeros(len(cu_seq_q) - 1, query.shape[1], max_q)
    for number, (begin, end) in enumerate(bounds(cu_seq_q)):
        padded[number, :, : end - begin] = lse[:, begin:end]
    return o, padded


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "honest"
    kept = register(chosen)
    backend = varlen.Varlen(varlen_attn_2_10 if chosen == "torch_2_10" else None)
    backend.name = "stub"
    fathom_worker.serve("stub", [backend])
