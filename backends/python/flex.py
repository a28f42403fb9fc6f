# SPDX-License-Identifier: Apache-2.0
"""torch's FlexAttention as backends of fathom: `flex:eager`, and `flex:compiled` where it is named.

    fathom run --backend flex:eager
    fathom run --worker flexc='python3 backends/python/flex.py compiled' --backend flex:compiled --suite flex

A call of torch.nn.attention.flex_attention answers a whole Problem: masks become a mask_mod and its BlockMask, packed
sequences one batch entry whose tokens know their sequence. What torch does not offer is refused in its own words.
"""

import functools
import inspect
import re
import sys

import fathom_worker as fathom

SOURCE = "https://github.com/pytorch/pytorch/blob/v2.13.0/torch/"
EAGER_SOURCE = SOURCE + "_higher_order_ops/flex_attention.py"
CPU_SOURCE = SOURCE + "_inductor/codegen/cpp_flex_attention_template.py"
GPU_SOURCE = SOURCE + "_inductor/kernel/flex/templates"

FEATURES = [
    "dtype.f64", "dtype.f32", "dtype.f16", "dtype.bf16", *fathom.DENSE_LAYOUTS, "varlen", "mask.causal",
    "mask.causal.top_left", "mask.causal.bottom_right", "mask.window", "mask.prefix_lm", "mask.document", "gqa", "dv",
    "cross_lengths", "empty_sequence", "scale", "backward", "lse", "dlse", "deterministic",
]  # fmt: skip


# ----------------------------------------------------------------------------------------------- the mask


def mask_mod_of(torch, problem, device):
    """The mask as FlexAttention wants it, (b, h, q, k) -> bool, or None where every score counts."""
    if problem.packed:
        return _packed_mask_mod(torch, problem, device)
    if not problem.terms:
        return None
    s = problem.sequences[0]  # Dense sequences differ in their prefix alone.
    prefixes = torch.tensor([one.prefix_length for one in problem.sequences], device=device)

    def mask_mod(b, h, q, k):
        return _seen(problem.terms, fathom.Sequence(s.query_length, s.key_length, prefixes[b]), q, k)

    return mask_mod


def _packed_mask_mod(torch, problem, device):
    """A query sees keys of its own sequence, where both count from the first token of that sequence."""
    queries, keys, prefixes = (
        torch.tensor([getattr(s, field) for s in problem.sequences], device=device)
        for field in ("query_length", "key_length", "prefix_length")
    )
    sequence_of_query, row_of = _tokens(torch, queries)
    sequence_of_key, place_of = _tokens(torch, keys)

    def mask_mod(b, h, q, k):
        n = sequence_of_query[q]
        s = fathom.Sequence(queries[n], keys[n], prefixes[n])
        return (n == sequence_of_key[k]) & _seen(problem.terms, s, row_of[q], place_of[k])

    return mask_mod


def _tokens(torch, lengths):
    """For each packed token: the number of its sequence and its place there, both (T)."""
    sequence = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
    starts = torch.cumsum(lengths, 0) - lengths
    return sequence, torch.arange(len(sequence), device=lengths.device) - starts[sequence]


def _seen(terms, s, row, key):
    seen = (row >= 0) & (key >= 0)
    for term in terms:
        seen = seen & fathom.lets_through(term, s, row, key)
    return seen


def block_mask_of(torch, flex, problem, device):
    """The BlockMask of a Problem; None where nothing is hidden or there is no score to hide."""
    queries, keys = (sequence_axis(problem, field) for field in ("query_length", "key_length"))
    mask_mod = mask_mod_of(torch, problem, device)
    if mask_mod is None or queries == 0 or keys == 0:
        return None
    per_sequence = not problem.packed and len({s.prefix_length for s in problem.sequences}) > 1
    return flex.create_block_mask(mask_mod, len(problem.sequences) if per_sequence else None, None, queries, keys,
                                  device=device)  # fmt: skip


def sequence_axis(problem, field):
    """The extent of that axis as torch sees it: all tokens if packed, else those of one sequence."""
    lengths = [getattr(s, field) for s in problem.sequences]
    return sum(lengths) if problem.packed else lengths[0]


# --------------------------------------------------------------------------------------------- the layouts


def to_bhsd(tensor, layout):
    """(B,S,H,D), (B,H,S,D) or packed (T,H,D) as torch's (B,H,S,D), a view."""
    if layout == "thd":
        return tensor.swapaxes(0, 1)[None]
    return tensor.swapaxes(1, 2) if layout == "bshd" else tensor


def from_bhsd(tensor, layout):
    """The way back, for O."""
    if layout == "thd":
        return tensor[0].swapaxes(0, 1)
    return tensor.swapaxes(1, 2) if layout == "bshd" else tensor


# ---------------------------------------------------------------------------------- what torch says itself


def first_words(error):
    """What an error of torch says before it goes on about graphs: one line, without class names in front of it."""
    cited = re.search(r"raised exception \w+\((['\"])(.*)\1\)", str(error))  # As dynamo quotes an error.
    line = cited[2] if cited else next(iter(str(error).strip().splitlines()), "")
    return re.sub(r"^(\w+: )+(?=\S)", "", line.strip()).rstrip(":") or type(error).__name__


def lse_request(flex):
    """How this torch is asked for the LSE: `return_lse` before 2.9, `return_aux` since."""
    if "return_aux" in inspect.signature(flex.flex_attention).parameters:
        return {"return_aux": flex.AuxRequest(lse=True)}
    return {"return_lse": True}


# --------------------------------------------------------------------------------------------- the backends


class Flex(fathom.Backend):
    """FlexAttention called as it is, without torch.compile: the whole matrix of scores, in f32 (f64 for f64)."""

    name = "flex:eager"
    features = FEATURES

    def __init__(self):
        self.answers = {}

    @property
    def absent(self):
        try:
            self.warm_up()
        except ImportError as error:
            return f"FlexAttention cannot be imported: {error}"
        return ""

    def warm_up(self):
        """What takes long is done while the worker introduces itself."""
        return self.flex

    @functools.cached_property
    def flex(self):
        import torch.nn.attention.flex_attention as flex

        return flex

    @functools.cached_property
    def device(self):
        return fathom.Torch().device

    def arithmetic(self, dtype):
        """P is normalised in f32, then rounded to the dtype of the tensors, before P V."""
        return fathom.flash_arithmetic(dtype, link=EAGER_SOURCE)

    def prepare(self, problem, lowering):
        """Every Problem starts with no compiled code, so that none is answered by another's."""
        import torch

        self.options = lse_request(self.flex) if self.gives_lse(problem) else {}
        self.block_mask = block_mask_of(torch, self.flex, problem, self.device)
        torch._dynamo.reset()
        self.call = self.make_call(problem.backward)

    def make_call(self, backward):
        return self.flex.flex_attention

    def gives_lse(self, problem):
        return problem.lse != "no"

    def forward(self, q, k, v, problem):
        found = self.call(
            *(to_bhsd(tensor, problem.layout) for tensor in (q, k, v)), block_mask=self.block_mask,
            scale=problem.softmax_scale if problem.scale_given else None,
            enable_gqa=problem.query_heads != problem.kv_heads, **self.options)  # fmt: skip
        o, lse = found if self.options else (found, None)
        lse = getattr(lse, "lse", lse)  # Of an AuxOutput, or the tensor itself.
        return from_bhsd(o, problem.layout), lse[0] if lse is not None and problem.packed else lse

    # What torch refuses.

    def why_unsupported(self, problem, lowering):
        if problem.deterministic and self.device != "cpu":
            return "torch does not promise that FlexAttention is deterministic on a GPU"
        for kind in self.kinds(problem):
            sentence = self.refusal(kind)
            if sentence:
                return f"torch refuses {kind}: {sentence}"
        return None

    def kinds(self, problem):
        """What is in this Problem that torch may refuse."""
        if problem.backward:
            yield "gradients"
        if sequence_axis(problem, "key_length") == 0:
            yield "queries without keys"

    def refusal(self, kind):
        """What torch says to a tiny Problem of this kind, or None; asked when first needed, once in a process."""
        if kind not in self.answers:
            self.answers[kind] = self.ask(**TINY[kind])
        return self.answers[kind]

    def ask(self, dtype="float32", keys=16, backward=False, lse=False):
        import torch

        dtype = getattr(torch, dtype)
        q, k, v = (torch.zeros(1, 1, rows, 16, dtype=dtype, device=self.device) for rows in (16, keys, keys))
        torch._dynamo.reset()
        try:
            o = self.make_call(backward)(q.requires_grad_(backward), k, v, **(lse_request(self.flex) if lse else {}))
            if backward:
                o.sum().backward()
        except Exception as error:  # Whatever torch raises is its answer.
            return first_words(error) if self.is_refusal(error) else None
        return None

    def is_refusal(self, error):
        return True


class CompiledFlex(Flex):
    """FlexAttention under torch.compile: one fused kernel, built for each Problem in its first execution."""

    name = "flex:compiled"

    def arithmetic(self, dtype):
        """On a CPU exp is a polynomial of degree 5, off by at most 3.3e-7 by its coefficients (arguments to -87)."""
        if self.device == "cpu":
            return fathom.flash_arithmetic(dtype, exp_rel=3.3e-7, block_m=128, link=CPU_SOURCE)
        return fathom.flash_arithmetic(dtype, link=GPU_SOURCE)

    def make_call(self, backward):
        """Compiles once for a forward, and once more for one that records gradients; after that it is an error."""
        import torch

        if torch._dynamo.config.disable:
            raise fathom.ContractError("torch.compile is switched off in the environment: this would run eagerly")
        torch._dynamo.config.suppress_errors = False
        torch._dynamo.config.recompile_limit = 2 if backward else 1
        torch._dynamo.config.fail_on_recompile_limit_hit = True
        return torch.compile(self.flex.flex_attention, fullgraph=True, dynamic=False)

    def warm_up(self):
        """The first compilation imports for seconds, which is longer than an answer to `support` may take."""
        for kind in ("gradients", "the LSE", "f64"):
            self.refusal(kind)

    def gives_lse(self, problem):
        return problem.lse != "no" and self.refusal("the LSE") is None

    def forward(self, q, k, v, problem):
        import torch._dynamo.exc as exc

        try:
            return super().forward(q, k, v, problem)
        except exc.FailOnRecompileLimitHit as error:
            limit = f"torch.compile would compile again for the same Problem: {first_words(error.__cause__ or error)}"
            raise fathom.ContractError(limit) from error
        except exc.TorchDynamoException as error:
            raise fathom.ContractError(f"torch.compile{self.compiler()} failed: {first_words(error)}") from error

    def compiler(self):
        import torch._inductor.config as config

        return f" with the C++ compiler {config.cpp.cxx[-1]}" if self.device == "cpu" else ""

    def kinds(self, problem):
        """Lengths of zero are not asked about: on a CPU they end the process (SIGFPE, torch 2.13.0)."""
        if problem.backward:
            yield "gradients"
        if problem.lse == "required":
            yield "the LSE"
        if problem.dtype == "f64":
            yield "f64"

    def is_refusal(self, error):
        """Anything else, a broken compiler above all, is for the execution to show."""
        return isinstance(error, NotImplementedError) or "NotImplementedError" in str(error)


# How a tiny Problem asks for what torch may refuse.
TINY = {
    "gradients": {"backward": True}, "the LSE": {"lse": True}, "f64": {"dtype": "float64"},
    "queries without keys": {"keys": 0},
}  # fmt: skip

BACKENDS = {"eager": Flex, "compiled": CompiledFlex}

if __name__ == "__main__":
    fathom.serve("flex", [BACKENDS[name]() for name in sys.argv[1:] or ["eager"]])
