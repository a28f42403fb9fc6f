# SPDX-License-Identifier: Apache-2.0
"""Judge any attention function by its name: `fathom run --backend callable:'package.module:function'`.

What the function is called with follows from the names of its parameters, by the table FAMILIES; what it really does
with them is for fathom to find out. After a `?` come options: `layout=bshd|bhsd` for a function whose parameters do not
tell, and `arithmetic=upcast` for one that computes in f32 and rounds once.

    callable:torch.nn.functional:scaled_dot_product_attention
    callable:flash_attn:flash_attn_func
    callable:my_package.attention:attend?layout=bhsd&arithmetic=upcast
"""

import dataclasses
import importlib
import inspect
import os
import re
import sys

import fathom_worker as fathom

# Our argument -> what libraries call it. The first name that a function has is used.
ALIASES = {
    "causal": ["causal", "is_causal"],
    "softmax_scale": ["softmax_scale", "scale", "sm_scale", "scaling"],
    "window": ["window_size", "window"],
    "window_left": ["window_size_left", "window_left"],
    "window_right": ["window_size_right", "window_right"],
    "cu_seqlens_q": ["cu_seqlens_q", "cu_seq_q", "cu_seq_lens_q"],
    "cu_seqlens_k": ["cu_seqlens_k", "cu_seq_k", "cu_seq_lens_k", "cu_seqlens_kv"],
    "max_seqlen_q": ["max_seqlen_q", "max_q", "max_length_q"],
    "max_seqlen_k": ["max_seqlen_k", "max_k", "max_length_k", "max_seqlen_kv"],
    "mask": ["attn_mask", "attention_mask", "mask"],
    "bias": ["attn_bias", "bias"],
    "lse": ["return_lse", "return_softmax_lse", "return_attn_probs"],
    "gqa": ["enable_gqa"],
    "deterministic": ["deterministic"],
    "dropout": ["dropout_p", "p", "dropout"],
}


@dataclasses.dataclass(frozen=True)
class Family:
    """How functions of one descent take their tensors."""

    name: str
    signs: list  # Concepts of ALIASES that all must be there.
    layout: str  # bshd, bhsd or thd.
    corner: str  # Which corner their causal flag means.
    gqa: bool = True
    link: str = ""


# The first row whose signs a function has.
FAMILIES = [
    Family("varlen", ["cu_seqlens_q", "cu_seqlens_k"], "thd", "bottom_right",
           link="https://github.com/Dao-AILab/flash-attention/blob/main/flash_attn/flash_attn_interface.py"),
    Family("sdpa", ["mask", "causal", "gqa"], "bhsd", "top_left",
           link="https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html"),
    Family("xformers", ["bias", "dropout"], "bshd", "top_left", gqa=False,
           link="https://facebookresearch.github.io/xformers/components/ops.html"),
    Family("flash", ["causal", "window"], "bshd", "bottom_right",
           link="https://github.com/Dao-AILab/flash-attention/blob/main/flash_attn/flash_attn_interface.py"),
]  # fmt: skip


def parameters_of(function):
    """Name -> default of each parameter; a builtin tells them in the first line of its documentation only."""
    try:
        return {name: one.default for name, one in inspect.signature(function).parameters.items()}
    except ValueError:
        first = re.search(r"\w+\((.*?)\)\s*(->|$)", (function.__doc__ or "").strip(), re.S)
        words = first.group(1).replace("*,", "").split(",") if first else []
        return {word.split("=")[0].split(":")[0].strip(): None for word in words if word.strip()}


class Signature:
    """What a function can be told, in our words."""

    def __init__(self, function, layout=None):
        self.defaults = parameters_of(function)
        self.name_of = {
            ours: next(name for name in theirs if name in self.defaults)
            for ours, theirs in ALIASES.items()
            if any(name in self.defaults for name in theirs)
        }
        family = next((row for row in FAMILIES if all(sign in self.name_of for sign in row.signs)), None)
        if family is None and layout is None:
            raise fathom.Refused(
                f"its parameters ({', '.join(self.defaults)}) do not tell how its tensors lie: "
                "add ?layout=bshd or ?layout=bhsd")  # fmt: skip
        self.family = family or Family("plain", [], layout, "bottom_right")
        self.layout = layout or self.family.layout

    def has(self, concept):
        return concept in self.name_of

    def infinite(self):
        """How an open side of a window is written: -1, or None where the default says so (FA4)."""
        return None if self.defaults.get(self.name_of.get("window")) == (None, None) else -1

    def masks(self):
        """Feature tokens of the masks that the arguments can say."""
        if self.has("mask") or self.has("bias"):
            return ["mask.causal", "mask.causal.top_left", "mask.causal.bottom_right", "mask.window", "mask.prefix_lm",
                    "mask.document"]  # fmt: skip
        window = self.has("window") or (self.has("window_left") and self.has("window_right"))
        causal = self.has("causal") or window
        return (["mask.causal", "mask.causal." + self.family.corner] if causal else []) + (["mask.window"] if window else [])

    def features(self, dtypes):
        packed = self.layout == "thd"
        tokens = ["dtype." + name for name in dtypes] + self.masks() + ["backward", "dv", "cross_lengths"]
        tokens += ["varlen", "empty_sequence"] if packed else fathom.DENSE_LAYOUTS
        tokens += ["gqa"] if self.family.gqa else []
        tokens += ["scale"] if self.has("softmax_scale") else []
        tokens += ["lse"] if self.has("lse") else []
        return tokens + (["deterministic"] if self.has("deterministic") else [])


def arguments(signature, problem, torch, device):
    """The keyword arguments that ask a function for this Problem. Raises Refused where no argument can say it."""
    told = {}

    def tell(concept, value):
        if not signature.has(concept):
            return False
        told[signature.name_of[concept]] = value
        return True

    if problem.scale_given and not tell("softmax_scale", problem.softmax_scale):
        raise fathom.Refused("the function has no argument for the softmax scale", "argument")
    if signature.layout == "thd":
        for concept, starts in (("q", problem.cu_seqlens_q), ("k", problem.cu_seqlens_k)):
            tell("cu_seqlens_" + concept, torch.tensor(starts, dtype=torch.int32, device=device))
            tell("max_seqlen_" + concept, max((b - a for a, b in zip(starts, starts[1:])), default=0))
    if problem.query_heads != problem.kv_heads:
        tell("gqa", True)
    tell("dropout", 0.0)
    tell("deterministic", True) if problem.deterministic else None
    tell("lse", True) if problem.lse != "no" else None
    _tell_mask(tell, signature, problem, torch, device)
    return told


def _tell_mask(tell, signature, problem, torch, device):
    if not problem.terms:
        return
    square = all(s.query_length == s.key_length for s in problem.sequences)
    causal = any(term[0] == "causal" and (square or term[1:] == (signature.family.corner,)) for term in problem.terms)
    windows = [term[1:] for term in problem.terms if term[0] == "window"]
    if len(problem.terms) == 1 and causal and tell("causal", True):
        return
    if len(problem.terms) == causal + len(windows) and len(windows) <= 1 and _tell_window(
            tell, signature, causal, *(windows[0] if windows else (-1, -1))):  # fmt: skip
        return
    same = all((s.query_length, s.key_length, s.prefix_length) == (
        problem.sequences[0].query_length, problem.sequences[0].key_length, problem.sequences[0].prefix_length)
        for s in problem.sequences)  # fmt: skip
    seen = torch.stack([problem.visible(torch, i, device) for i in range(1 if same else len(problem.sequences))])
    if tell("mask", seen[:, None]):
        return
    dtype = getattr(torch, fathom.Torch.DTYPES[problem.dtype])
    bias = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, float("-inf"))
    heads = (len(problem.sequences), problem.query_heads)
    if not tell("bias", bias[:, None].expand(*heads, *seen.shape[1:])):
        mask = " & ".join(str(term) for term in problem.terms)
        raise fathom.Refused(f"the function has no argument that says the mask {mask}", "argument")


def _tell_window(tell, signature, causal, left, right):
    """Our -1 is the infinite side; causal closes the right one."""
    right = min(right, 0) if causal and right >= 0 else 0 if causal else right
    sides = [signature.infinite() if side < 0 else side for side in (left, right)]
    told = tell("window", tuple(sides)) or (tell("window_left", sides[0]) and tell("window_right", sides[1]))
    if told and causal:
        tell("causal", True)
    return told


class Callable(fathom.Backend):
    """One function, called with whole tensors in its own layout."""

    def __init__(self, target):
        self.name, (place, _, options) = "callable:" + target, target.partition("?")
        self.options = dict(option.partition("=")[::2] for option in options.split("&") if option)
        self.absent = self._find(place) or ""
        if not self.absent:
            self.features = self.signature.features(["f64", "f32", "f16", "bf16"])
            if self.signature.layout != "thd":  # A dense function is also asked one sequence at a time.
                self.lowerings = ["native", "loop"]
                self.features += ["varlen", "empty_sequence"]
            self.version = getattr(sys.modules[place.partition(":")[0].partition(".")[0]], "__version__", "0")
        self.told, self.trials = [], {}

    def _find(self, place):
        """Why the function cannot be had; None if it can."""
        module, _, path = place.partition(":")
        if not path:
            return f"'{place}' names no function: write callable:'package.module:function'"
        try:
            found = importlib.import_module(module)
            for name in path.split("."):
                found = getattr(found, name)
            self.function = found
            self.signature = Signature(found, self.options.get("layout"))
        except ImportError as error:
            return f"{module} cannot be imported: {error}"
        except AttributeError:
            return f"{module} has no '{path}'"
        except fathom.Refused as refused:
            return str(refused)
        except Exception as error:  # Importing somebody's package runs somebody's code.
            return f"importing {module} raised {type(error).__name__}: {error}"
        return None

    def arithmetic(self, dtype):
        declare = fathom.upcast_arithmetic if self.options.get("arithmetic") == "upcast" else fathom.flash_arithmetic
        return declare(dtype, link=self.signature.family.link)

    def prepare(self, problem, lowering):
        import torch

        device = fathom.Torch().device
        self.told = [arguments(self.signature, piece, torch, device) for piece in fathom.pieces(problem, lowering)]

    def why_unsupported(self, problem, lowering):
        import torch

        if lowering == "native" and problem.packed != (self.signature.layout == "thd"):
            return f"the function takes {self.signature.layout} tensors"
        device = fathom.Torch().device
        for piece in fathom.pieces(problem, lowering):
            arguments(self.signature, piece, torch, device)
        return self._why_not_even_small(torch, device, problem.dtype)

    def _why_not_even_small(self, torch, device, dtype):
        """The function's own words if it takes no tensors of this dtype here, found by two tokens."""
        if dtype not in self.trials:
            shape = (2, 1, 64) if self.signature.layout == "thd" else (1, 2, 2, 64)
            one = torch.ones(shape, dtype=getattr(torch, fathom.Torch.DTYPES[dtype]), device=device)
            small = fathom.Problem({"dir": "fwd", "dtype": dtype, "layout": "thd", "hq": shape[-2], "hkv": shape[-2],
                                    "d": 64, "dv": 64, "seqs": "2", "mask": "full", "scale": "default", "lse": "no",
                                    "dlse": False, "deterministic": False})  # fmt: skip
            try:
                self.function(one, one, one, **arguments(self.signature, small, torch, device))
                self.trials[dtype] = None
            except Exception as error:  # Whatever it says is the reason.
                self.trials[dtype] = f"on {device}, {dtype}: {type(error).__name__}: {' '.join(str(error).split())[:400]}"
        return self.trials[dtype]

    def forward(self, q, k, v, problem):
        looped = problem.number is not None
        layout = "bhsd" if looped else problem.layout  # A sequence alone comes as (H,S,D).
        turned = layout != self.signature.layout

        def to_function(x):
            x = x.unsqueeze(0) if looped else x
            return x.transpose(1, 2) if turned else x

        result = self.function(*map(to_function, (q, k, v)), **self.told[problem.number or 0])
        o, lse = (result[0], result[1]) if isinstance(result, (tuple, list)) else (result, None)
        o = o.transpose(1, 2) if turned else o
        lse = lse if self.signature.has("lse") else None
        return (o[0], lse if lse is None else lse[0]) if looped else (o, lse)


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    targets = sys.argv[1:]
    if not targets:
        sys.exit("name a function: fathom run --backend callable:'package.module:function'")
    fathom.serve("callable", [Callable(target) for target in targets])
