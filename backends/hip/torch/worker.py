# SPDX-License-Identifier: Apache-2.0
"""torch.ops.fathom_hip as the backend `hip_torch`: the operator as a model calls it, gradients by autograd.

    fathom run --backend hip_torch --suite smoke
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
import fathom_worker as fathom  # noqa: E402

FEATURES = [
    "dtype.f16", "dtype.bf16", "layout.bshd", "varlen", "mask.causal", "mask.causal.bottom_right", "mask.window",
    "mask.prefix_lm", "gqa", "cross_lengths", "empty_sequence", "scale", "backward", "lse", "dlse", "deterministic",
]  # fmt: skip


def mask_of(terms):
    """The mask as keywords; of several windows the narrowest sides."""
    windows = [term[1:] for term in terms if term[0] == "window"]
    left, right = (min((end for end in side if end >= 0), default=-1) for side in zip((-1, -1), *windows))
    causal = any(term[0] == "causal" for term in terms)
    return {"causal": causal, "window_size_left": left, "window_size_right": right}


class Operator(fathom.Backend):
    name = "hip_torch"
    version = "1"
    features = FEATURES

    def __init__(self, library):
        try:
            import torch

            torch.ops.load_library(library)
        except (ImportError, OSError) as error:
            self.absent = f"{library} cannot be loaded: {error}"

    def arithmetic(self, dtype):
        """P and dS are rounded to the dtype; one chain of sums over all keys, and over all queries."""
        return fathom.flash_arithmetic(dtype, block_m=65536, block_n=65536, link="backends/hip/kernel/product.h")

    def why_unsupported(self, problem, lowering):
        if problem.head_dim in (64, 96, 128, 256) and problem.softmax_scale > 0:
            return None
        return "there are kernels for the head dims 64, 96, 128 and 256 and for scales above 0"

    def prepare(self, problem, lowering):
        import torch

        device = fathom.Torch().device
        ints = lambda numbers: torch.tensor(numbers, dtype=torch.int32, device=device)
        sequences = problem.sequences
        has_prefix = ("prefix_lm",) in problem.terms
        self.lengths = [
            ints(problem.cu_seqlens_q), ints(problem.cu_seqlens_k), max(s.query_length for s in sequences),
            max(s.key_length for s in sequences), ints([s.prefix_length for s in sequences]) if has_prefix else None,
        ]  # fmt: skip
        self.options = {"softmax_scale": problem.softmax_scale, **mask_of(problem.terms)}

    def forward(self, q, k, v, problem):
        import torch

        rows = [x if problem.packed else x.flatten(0, 1) for x in (q, k, v)]
        o, lse = torch.ops.fathom_hip.prefix_lm_fwd(*rows, *self.lengths, **self.options)
        if not problem.packed:
            lse = lse.unflatten(1, (len(problem.sequences), -1)).swapaxes(0, 1)
        return o.view(q.shape), lse


if __name__ == "__main__":
    fathom.serve("hip_torch", [Operator(sys.argv[1])])
