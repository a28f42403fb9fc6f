# SPDX-License-Identifier: Apache-2.0
"""torch.nn.attention.varlen.varlen_attn as the backend `varlen`: GPUs only, torch 2.10 and later.

    fathom run --backend varlen --suite smoke

Its arguments changed with every release, so each is given by what the signature of the torch at hand offers: causal
by `is_causal` (2.10) or by the window (-1, 0) (2.11 and later), a window, a scale, grouped heads and the LSE where
there are parameters for them. What there is none for is refused.
"""

import functools
import inspect
import re

import fathom_worker as fathom

FLASH_SOURCE = "https://github.com/Dao-AILab/flash-attention/blob/main/csrc/flash_attn/src/softmax.h"

FEATURES = [
    "dtype.f16", "dtype.bf16", "layout.bshd", "varlen", "mask.causal", "mask.causal.bottom_right", "mask.window", "gqa",
    "cross_lengths", "empty_sequence", "scale", "backward", "lse",
]  # fmt: skip


def window_of(terms):
    """Causal and windows as one window (left, right), both ends seen, -1 for no end."""
    ends = [term[1:] for term in terms if term[0] == "window"] + [(-1, 0) for term in terms if term[0] == "causal"]
    return tuple(min((end for end in side if end >= 0), default=-1) for side in zip((-1, -1), *ends))


def first_sentence(error):
    """Torch's errors go on for a page; their first sentence says what is wrong."""
    return re.split(r"(?<=\.)\s", " ".join(str(error).split()), maxsplit=1)[0] or type(error).__name__


def packed(tensor, problem):
    """(B,S,H,D) as packed (B*S,H,D), a view; packed tensors are so already."""
    return tensor if problem.packed else tensor.flatten(0, 1)


def lse_of(torch, lse, problem):
    """The LSE in the Problem's layout, from (H,T) as on CUDA or (B,H,longest) as on ROCm up to 2.11."""
    if lse.dim() == 3:
        lse = torch.cat([lse[i, :, : s.query_length] for i, s in enumerate(problem.sequences)], dim=1)
    return lse if problem.packed else lse.unflatten(1, (len(problem.sequences), -1)).swapaxes(0, 1)


class Varlen(fathom.Backend):
    """`attend` takes the arguments of some release's varlen_attn; that of the torch at hand if left out."""

    name = "varlen"
    features = FEATURES

    def __init__(self, attend=None):
        self.given = attend

    @functools.cached_property
    def attend(self):
        if self.given is not None:
            return self.given
        from torch.nn.attention.varlen import varlen_attn

        return varlen_attn

    @functools.cached_property
    def parameters(self):
        return inspect.signature(self.attend).parameters

    @functools.cached_property
    def absent(self):
        try:
            refusal = self.refusal("bf16", 64, False)
        except ImportError as error:
            return f"torch.nn.attention.varlen came with torch 2.10, and here: {error}"
        return f"torch refuses varlen_attn: {refusal}" if refusal else ""

    @functools.cached_property
    def device(self):
        return fathom.Torch().device

    def arithmetic(self, dtype):
        """FlashAttention-2's, whose LSE of a row without a key is +inf."""
        return fathom.flash_arithmetic(dtype, empty_row_lse="+inf", link=FLASH_SOURCE)

    def why_unsupported(self, problem, lowering):
        self.keywords(problem)
        refusal = self.refusal(problem.dtype, problem.head_dim, problem.backward)
        return f"torch refuses head dim {problem.head_dim} in {problem.dtype}: {refusal}" if refusal else None

    @functools.cache
    def refusal(self, dtype, head_dim, backward):
        """What torch says to one sequence of 16 tokens in one head, or None; asked once in a process."""
        import torch

        dtype = getattr(torch, fathom.Torch.DTYPES[dtype])
        q, k, v = (torch.zeros(16, 1, head_dim, dtype=dtype, device=self.device) for _ in "qkv")
        cu_seqlens = torch.tensor([0, 16], dtype=torch.int32, device=self.device)
        try:
            o = self.attend(q.requires_grad_(backward), k, v, cu_seqlens, cu_seqlens, 16, 16)
            if backward:
                o.sum().backward()
        except (NotImplementedError, RuntimeError, ValueError) as error:
            return first_sentence(error)
        return None

    def keywords(self, problem):
        """What is not at its default, by the names of the torch at hand."""
        wanted = {}
        window = window_of(problem.terms)
        if window == (-1, 0) and "is_causal" in self.parameters:
            wanted["is_causal"] = True
        elif window != (-1, -1):
            wanted["window_size"] = window
        if problem.scale_given:
            wanted["scale"] = problem.softmax_scale
        if problem.query_heads != problem.kv_heads:
            wanted["enable_gqa"] = True
        for name in wanted:
            if name not in self.parameters:
                raise fathom.Refused(f"varlen_attn of this torch has no parameter '{name}'", "parameter")
        return wanted

    def prepare(self, problem, lowering):
        import torch

        self.lengths = [
            *(torch.tensor(sums, dtype=torch.int32, device=self.device)
              for sums in (problem.cu_seqlens_q, problem.cu_seqlens_k)),
            max(s.query_length for s in problem.sequences), max(s.key_length for s in problem.sequences),
        ]  # fmt: skip
        self.options = self.keywords(problem)
        if problem.lse != "no":
            from torch.nn.attention.varlen import AuxRequest

            self.options["return_aux"] = AuxRequest(lse=True)

    def forward(self, q, k, v, problem):
        import torch

        found = self.attend(*(packed(tensor, problem) for tensor in (q, k, v)), *self.lengths, **self.options)
        o, lse = found if problem.lse != "no" else (found, None)
        return o.view(*q.shape[:-1], problem.value_dim), lse if lse is None else lse_of(torch, lse, problem)


if __name__ == "__main__":
    fathom.serve("varlen", [Varlen()])
