# SPDX-License-Identifier: Apache-2.0
"""Judge an attention kernel that Python can call. One file, no install; numpy or torch.

    @backend("mine", features=["dtype.f32", "mask.causal", "backward"])
    def mine(q, k, v, problem):
        return ...                      # o, or (o, lse)

    serve()                             # the last line; then: fathom run --worker mine='python3 mine.py'

`features` lists the feature tokens (harness/core/features.cpp) that the function honours: a Problem with any other
token is refused unasked. With torch, gradients come from autograd; `@mine.backward` gives them by hand, and that is
the only way with numpy. The protocol behind this is harness/protocol/README.md.
"""

import array
import contextlib
import ctypes
import json
import mmap
import os
import socket
import struct
import sys
import time
import traceback

PROTOCOL = 1
MOST_FRAME_BYTES = 1 << 20
DENSE_LAYOUTS = ["layout.bshd", "layout.bhsd"]

# What an Arithmetic says (harness/core/arithmetic.h); a declaration names what differs.
ARITHMETIC = {
    "p_dtype": "f32", "p_round": "rne", "out_round": "rne", "acc": "fp32", "grad_acc": "fp32", "ds_dtype": "f32",
    "delta_src": "o_rounded", "split_partial": "f32", "exp_rel": 0, "empty_row_lse": "-inf", "block_m": 64,
    "block_n": 128, "link": "",
}  # fmt: skip


class Refused(Exception):
    """What a Problem asks is not supported here: `code` for machines, the sentence for people."""

    def __init__(self, sentence, code="backend"):
        super().__init__(sentence)
        self.code = code


class ContractError(Exception):
    """The function under test gave something that is no answer: a wrong shape, dtype or type."""


# ------------------------------------------------------------------------------------------ the question


class Sequence:
    """One sequence of a Problem."""

    def __init__(self, query_length, key_length, prefix_length):
        self.query_length, self.key_length, self.prefix_length = query_length, key_length, prefix_length

    @classmethod
    def parse(cls, text):
        """`33x97p40`: 33 queries, 97 keys (as many as queries if left out), a prefix of 40."""
        lengths, _, prefix = text.partition("p")
        queries, _, keys = lengths.partition("x")
        return cls(int(queries), int(keys or queries), int(prefix or 0))


def _parse_sequences(text):
    found = []
    for part in filter(None, text.split(",")):
        count, star, one = part.partition("*")
        found += [Sequence.parse(one if star else part) for _ in range(int(count) if star else 1)]
    return found


def _parse_term(text):
    """`window(128,0)` -> ("window", 128, 0); `causal(top_left)` -> ("causal", "top_left")."""
    name, _, inside = text.partition("(")
    words = [word for word in inside.rstrip(")").split(",") if word]
    return (name, *[int(word) if word.lstrip("-").isdigit() else word for word in words])


class Problem:
    """What is asked: softmax(softmax_scale * Q K^T + mask) V, and its gradients.

    terms    the mask, a list of ("causal", corner), ("window", left, right), ("prefix_lm",), ("document", length...);
             a score counts if every term lets it through, and an empty list hides nothing
    """

    def __init__(self, fields):
        self.backward = fields["dir"] == "fwd+bwd"
        self.dtype, self.layout = fields["dtype"], fields["layout"]
        self.query_heads, self.kv_heads = fields["hq"], fields["hkv"]
        self.head_dim, self.value_dim = fields["d"], fields["dv"]
        self.sequences = _parse_sequences(fields["seqs"])
        self.number = None  # Which sequence this is, of a Problem that is asked one by one.
        self.terms = [_parse_term(term) for term in fields["mask"].split("&") if term != "full"]
        scale = fields["scale"]
        self.scale_given = scale != "default"
        self.softmax_scale = float(scale) if self.scale_given else self.head_dim**-0.5
        self.lse, self.lse_cotangent = fields["lse"], fields["dlse"]
        self.deterministic = fields["deterministic"]

    @property
    def packed(self):
        return self.layout == "thd"

    @property
    def cu_seqlens_q(self):
        return _running_sum(s.query_length for s in self.sequences)

    @property
    def cu_seqlens_k(self):
        return _running_sum(s.key_length for s in self.sequences)

    def of_sequence(self, number):
        """The same Problem, asked of one sequence."""
        one = Problem.__new__(Problem)
        one.__dict__.update(self.__dict__, sequences=[self.sequences[number]], number=number)
        return one

    def visible(self, numpy_or_torch, number=0, device=None):
        """Which key each query of a sequence sees: bool (query_length, key_length)."""
        s = self.sequences[number]
        where = {"device": device} if device is not None else {}
        row = numpy_or_torch.arange(s.query_length, **where)[:, None]
        key = numpy_or_torch.arange(s.key_length, **where)[None, :]
        seen = (row >= 0) & (key >= 0)
        for term in self.terms:
            seen = seen & lets_through(term, s, row, key)
        return seen


def lets_through(term, s, row, key):
    """One mask term, elementwise on arrays (or traced tensors) of row and key numbers of the Sequence `s`."""
    at = row + (s.key_length - s.query_length)  # A query is one of the last tokens of its sequence.
    name, *numbers = term
    if name == "causal":
        return key <= (row if numbers == ["top_left"] else at)
    if name == "window":
        left, right = numbers
        seen = key == key if left < 0 else at - key <= left
        return seen if right < 0 else seen & (key - at <= right)
    if name == "prefix_lm":
        inside = at < s.prefix_length
        return (inside & (key < s.prefix_length)) | (~inside & (key <= at))
    if name == "document":
        return _document_of(at, numbers) == _document_of(key, numbers)
    raise Refused(f"the mask term {name} is newer than this worker", "feature.mask." + name)


def _document_of(position, lengths):
    number = 0 * position
    for end in _running_sum(lengths)[1:]:
        number = number + (position >= end) * 1
    return number


def _running_sum(numbers):
    sums = [0]
    for number in numbers:
        sums.append(sums[-1] + number)
    return sums


# ------------------------------------------------------------------------------------------------ arrays


class Numpy:
    """Arrays for a function that works on numpy: bf16, which numpy lacks, is widened to f32."""

    DTYPES = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "uint16"}
    device = "cpu"

    def __init__(self):
        import numpy

        self.np = numpy

    def version(self):
        return "numpy " + self.np.__version__

    def view(self, memory, slot):
        dtype = self.np.dtype(self.DTYPES[slot["dtype"]])
        flat = self.np.frombuffer(memory, dtype, _elements(slot), slot["offset"])
        return flat.reshape(slot["shape"])

    def load(self, memory, slot):
        view = self.view(memory, slot)
        if slot["dtype"] != "bf16":
            return view
        return (view.astype("uint32") << 16).view("float32")

    def check(self, name, value, slot):
        dtype = "float32" if slot["dtype"] == "bf16" else self.DTYPES[slot["dtype"]]
        if not isinstance(value, self.np.ndarray):
            raise ContractError(f"{name} is a {type(value).__name__}, not a numpy array")
        _check_shape(name, value.shape, slot)
        if str(value.dtype) != dtype:
            raise ContractError(f"{name} has dtype {value.dtype}; {dtype} is due")

    def store(self, memory, slot, value):
        view = self.view(memory, slot)
        view[...] = self._round_to_bf16(value) if slot["dtype"] == "bf16" else value

    def _round_to_bf16(self, value):
        bits = self.np.ascontiguousarray(value).view("uint32").astype("uint64")
        rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("uint16")
        return self.np.where(self.np.isnan(value), self.np.uint16(0x7FC0), rounded)

    def no_grad(self):
        return contextlib.nullcontext()

    def zeros(self, shape, dtype):
        return self.np.zeros(shape, "float32" if dtype == "bf16" else self.DTYPES[dtype])

    def synchronize(self):
        pass


class Torch:
    """Tensors for a function that works on torch, on the CPU or on the first GPU (FATHOM_DEVICE=cpu|cuda)."""

    DTYPES = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16"}

    def __init__(self):
        import torch

        self.torch = torch
        asked = os.environ.get("FATHOM_DEVICE", "")
        self.device = asked or ("cuda" if torch.cuda.is_available() else "cpu")
        if "FATHOM_TORCH_THREADS" in os.environ:
            torch.set_num_threads(int(os.environ["FATHOM_TORCH_THREADS"]))

    def version(self):
        return "torch " + self.torch.__version__

    def device_name(self):
        if self.device == "cpu":
            return "cpu"
        return f"{self.device}:0 {self.torch.cuda.get_device_name(0)}"

    def dtype(self, name):
        return getattr(self.torch, self.DTYPES[name])

    def view(self, memory, slot):
        count = _elements(slot)
        if count == 0:
            return self.torch.empty(slot["shape"], dtype=self.dtype(slot["dtype"]))
        flat = self.torch.frombuffer(memory, dtype=self.dtype(slot["dtype"]), count=count, offset=slot["offset"])
        return flat.view(slot["shape"])

    def load(self, memory, slot):
        return self.view(memory, slot).to(self.device)  # On the CPU this is the shared memory itself.

    def check(self, name, value, slot):
        if not isinstance(value, self.torch.Tensor):
            raise ContractError(f"{name} is a {type(value).__name__}, not a tensor")
        _check_shape(name, value.shape, slot)
        if value.dtype != self.dtype(slot["dtype"]):
            raise ContractError(f"{name} has dtype {value.dtype}; {self.dtype(slot['dtype'])} is due")

    def store(self, memory, slot, value):
        self.view(memory, slot).copy_(value.detach())

    def no_grad(self):
        return self.torch.no_grad()

    def zeros(self, shape, dtype):
        return self.torch.zeros(shape, dtype=self.dtype(dtype), device=self.device)

    def synchronize(self):
        if self.device != "cpu":
            self.torch.cuda.synchronize()


def _elements(slot):
    count = 1
    for extent in slot["shape"]:
        count *= extent
    return count


def _check_shape(name, shape, slot):
    if list(shape) != slot["shape"]:
        raise ContractError(f"{name} has shape {tuple(shape)}; {tuple(slot['shape'])} is due")


ARRAYS = {"numpy": Numpy, "torch": Torch}


# ---------------------------------------------------------------------------------------------- backends


def flash_arithmetic(dtype, **changes):
    """A flash kernel's usual declaration: P and dS are rounded to the dtype of the tensors, sums are f32."""
    wide = {"acc": "fp64", "grad_acc": "fp64", "split_partial": "f64"} if dtype == "f64" else {}
    return {**ARITHMETIC, "p_dtype": dtype, "ds_dtype": dtype, **wide, **changes}


def upcast_arithmetic(dtype, **changes):
    """A function that computes in f32 (f64 for f64) and rounds only what it returns."""
    return flash_arithmetic("f64" if dtype == "f64" else "f32", **changes)


class Backend:
    """An implementation under test. A subclass overrides what differs; `forward` is all it must have.

    forward(q, k, v, problem) -> o or (o, lse)
    gradients(q, k, v, o, lse, dout, dlse, problem) -> (dq, dk, dv), or None to use autograd

    Tensors are whole, in the Problem's layout: q (B,S,H,D), (B,H,S,D) or packed (T,H,D); lse (B,H,S) or (H,T),
    natural logarithm, f32 (f64 for f64). With the lowering `loop` they are one sequence: q (H,S,D), lse (H,S).
    """

    name = version = absent = ""
    arrays = "torch"
    lowerings = ["native"]
    features = []

    def forward(self, q, k, v, problem):
        raise NotImplementedError

    gradients = None

    def arithmetic(self, dtype):
        return flash_arithmetic(dtype)

    def why_unsupported(self, problem, lowering):
        """A sentence (or raise Refused) if this Problem is outside what is supported."""
        return None

    def prepare(self, problem, lowering):
        """Called once before a Problem is asked; what depends on it alone can be made here."""


class FunctionBackend(Backend):
    """A function under test, as the decorator `backend` makes it."""

    def __init__(self, function, name, features, arrays, per_sequence, arithmetic, version):
        self.function, self.name, self.arrays, self.version = function, name, arrays, version
        self.lowerings = ["loop" if per_sequence else "native"]
        self.features = list(features) + (["varlen", *DENSE_LAYOUTS] if per_sequence else [])
        self.declared = dict(arithmetic)
        self.refusals = []

    def forward(self, q, k, v, problem):
        return self.function(q, k, v, problem)

    def arithmetic(self, dtype):
        return flash_arithmetic(dtype, **self.declared)

    def backward(self, function):
        """Decorator: gradients by hand, (q, k, v, o, lse, dout, dlse, problem) -> (dq, dk, dv)."""
        self.gradients = function
        return function

    def unsupported_if(self, function):
        """Decorator: problem -> a sentence that refuses it, or None."""
        self.refusals.append(function)
        return function

    def why_unsupported(self, problem, lowering):
        return next(filter(None, (refuse(problem) for refuse in self.refusals)), None)


_registered = []


def backend(name, features, arrays="torch", per_sequence=True, arithmetic=(), version="0"):
    """Decorator: a function of (q, k, v, problem) becomes a backend that fathom can judge.

    per_sequence  True: called once per sequence with q (Hq,Sq,d), k (Hkv,Sk,d), v (Hkv,Sk,dv), whatever the layout;
                  False: called once with whole tensors in the Problem's layout, which `features` must name
    arithmetic    what differs from flash_arithmetic, e.g. {"p_dtype": "f32"} for a function that upcasts
    """

    def register(function):
        made = FunctionBackend(function, name, features, arrays, per_sequence, arithmetic, version)
        _registered.append(made)
        return made

    return register


# ------------------------------------------------------------------------------------------- one Problem


def pieces(problem, lowering):
    """What is asked call by call: each sequence of a Problem for `loop`, else all at once."""
    return [problem.of_sequence(i) for i in range(len(problem.sequences))] if lowering == "loop" else [problem]


class Plan:
    """A backend with the tensors of one Problem."""

    def __init__(self, backend, arrays, problem, lowering, memory, inputs, outputs):
        self.backend, self.arrays, self.problem, self.lowering = backend, arrays, problem, lowering
        self.memory, self.outputs = memory, outputs
        self.inputs = {slot["name"]: arrays.load(memory, slot) for slot in inputs}
        self.loop = lowering == "loop"
        backend.prepare(problem, lowering)

    def execute(self):
        """Runs the Problem and writes its outputs; the transport of each."""
        answer = self._answer()
        transports = {}
        for slot in self.outputs:
            value = answer.get(slot["name"])
            if value is None and slot["name"] != "lse":
                raise ContractError(f"{slot['name']} was not returned")
            if value is not None:
                self.arrays.check(slot["name"], value, slot)
        self.arrays.synchronize()
        for slot in self.outputs:
            value = answer.get(slot["name"])
            if value is not None:
                self.arrays.store(self.memory, slot, value)
            given = value is not None
            transports[slot["name"]] = {"transport": "copied" if given else "not_given",
                                        "bytes": _elements(slot) * _item_bytes(slot) if given else 0}  # fmt: skip
        return transports

    # Which tensors lie where: what a sequence's part of each is.

    def _part(self, problem, name, tensor, number):
        """The part of one sequence of the Problem: (H,S,D), or (H,S) for an LSE."""
        keys = name in ("k", "v", "dk", "dv")
        if problem.packed:
            starts = problem.cu_seqlens_k if keys else problem.cu_seqlens_q
            begin, end = starts[number], starts[number + 1]
            if name in ("lse", "dlse"):
                return tensor[:, begin:end]
            return tensor[begin:end].swapaxes(0, 1)
        one = tensor[number]
        return one if name in ("lse", "dlse") or problem.layout == "bhsd" else one.swapaxes(0, 1)

    def parts(self, inputs, problem=None):
        """Each call's Problem with its inputs: whole tensors, or for `loop` one sequence of each."""
        problem = problem or self.problem
        for number, piece in enumerate(pieces(problem, self.lowering)):
            yield piece, {n: self._part(problem, n, t, number) for n, t in inputs.items()} if self.loop else inputs

    def _answer(self):
        if not self.loop:
            return self._run_piece(self.problem, self.inputs)
        whole = {slot["name"]: self.arrays.zeros(slot["shape"], slot["dtype"]) for slot in self.outputs}
        missing = set()
        for piece, inputs in self.parts(self.inputs):
            answer = self._run_piece(piece, inputs)
            for slot in self.outputs:
                name = slot["name"]
                if answer.get(name) is None:
                    missing.add(name)
                    continue
                target = self._part(self.problem, name, whole[name], piece.number)
                self.arrays.check(name, answer[name], {**slot, "shape": list(target.shape)})
                target[...] = answer[name].detach() if hasattr(answer[name], "detach") else answer[name]
        return {name: tensor for name, tensor in whole.items() if name not in missing}

    def _run_piece(self, problem, inputs):
        """All outputs of one call."""
        if not problem.backward:
            return self._forward(problem, inputs)
        if self.backend.gradients is not None:
            answer = self._forward(problem, inputs)
            return {**answer, **self._explicit_gradients(problem, inputs, answer)}
        return self._by_autograd(problem, inputs)

    def _forward(self, problem, inputs):
        result = self._call(problem, inputs["q"], inputs["k"], inputs["v"])
        return dict(zip(("o", "lse"), result))

    def _call(self, problem, q, k, v):
        with contextlib.nullcontext() if problem.backward else self.arrays.no_grad():
            result = self.backend.forward(q, k, v, problem)
        if not isinstance(result, (tuple, list)):
            return result, None
        if len(result) != 2:
            raise ContractError(f"{len(result)} values came back; o or (o, lse) is due")
        return tuple(result)

    def _explicit_gradients(self, problem, inputs, answer):
        found = self.backend.gradients(
            inputs["q"], inputs["k"], inputs["v"], answer["o"], answer.get("lse"),
            inputs["dout"], inputs.get("dlse"), problem)  # fmt: skip
        if not isinstance(found, (tuple, list)) or len(found) != 3:
            raise ContractError("the backward did not return (dq, dk, dv)")
        return dict(zip(("dq", "dk", "dv"), found))

    def _by_autograd(self, problem, inputs):
        leaves, answer = self._recorded(problem, inputs)
        found = self._autograd(leaves, answer, inputs, retain=False)
        return {**answer, **dict(zip(("dq", "dk", "dv"), found))}

    def _recorded(self, problem, inputs):
        """Leaves q, k, v and the forward's answer with its graph."""
        if not isinstance(self.arrays, Torch):
            raise ContractError("numpy has no autograd: give the gradients with @NAME.backward")
        leaves = [inputs[name].detach().requires_grad_() for name in ("q", "k", "v")]
        with self.arrays.torch.enable_grad():
            answer = dict(zip(("o", "lse"), self._call(problem, *leaves)))
        if not getattr(answer["o"], "requires_grad", False):
            raise ContractError("o has no autograd graph: the function is not differentiable")
        return leaves, answer

    def _autograd(self, leaves, answer, inputs, retain):
        targets, cotangents = [answer["o"]], [inputs["dout"]]
        if "dlse" in inputs:
            if not getattr(answer.get("lse"), "requires_grad", False):
                raise ContractError("a cotangent of the LSE was given, and lse has no autograd graph")
            targets.append(answer["lse"])
            cotangents.append(inputs["dlse"])
        torch = self.arrays.torch
        found = torch.autograd.grad(targets, leaves, cotangents, retain_graph=retain, allow_unused=True)
        return [torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(leaves, found)]

    # What is timed: forward alone, or backward alone with the forward's answer at hand.

    def timed(self, which):
        parts = list(self.parts(self.inputs))
        if which == "forward":
            return lambda: [self.forward_only(*part) for part in parts]
        if which != "backward" or not self.problem.backward:
            return None
        if self.backend.gradients is not None:
            answers = [self._forward(*part) for part in parts]
            return lambda: [self._explicit_gradients(*part, answer) for part, answer in zip(parts, answers)]
        graphs = [self._recorded(*part) for part in parts]
        return lambda: [self._autograd(*graph, inputs, retain=True) for graph, (_, inputs) in zip(graphs, parts)]

    def forward_only(self, piece, inputs):
        """What the function returns, without a graph for gradients."""
        with self.arrays.no_grad():
            return self.backend.forward(inputs["q"], inputs["k"], inputs["v"], piece)


def _item_bytes(slot):
    return {"f64": 8, "f32": 4, "f16": 2, "bf16": 2}[slot["dtype"]]


# ---------------------------------------------------------------------------------------- time and memory

FLUSH_BYTES = 256 << 20  # Larger than last-level caches.


def _time_on_cpu(body, samples, cold):
    flush = bytearray(FLUSH_BYTES) if cold else None
    found = []
    for _ in range(samples):
        if cold:
            flush[::64] = bytes(FLUSH_BYTES // 64)
        start = time.perf_counter_ns()
        body()
        found.append(float(time.perf_counter_ns() - start))
    return {"mode": "cpu", "samples_ns": found, "reason": ""}


def _time_on_gpu(torch, body, samples, cold):
    flush = torch.empty(FLUSH_BYTES, dtype=torch.int8, device="cuda") if cold else None
    pairs = []
    for _ in range(samples):
        if cold:
            flush.zero_()
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        body()
        end.record()
        pairs.append((begin, end))
    torch.cuda.synchronize()
    return {"mode": "event", "samples_ns": [a.elapsed_time(b) * 1e6 for a, b in pairs], "reason": ""}


def _resident_kib(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    return None


def _memory_on_cpu(body):
    """Peak growth of the resident memory while `body` runs once (Linux: VmHWM, reset before)."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # Give freed pages back, or the body would reuse them unseen.
        with open("/proc/self/clear_refs", "w") as clear:
            clear.write("5")
        before = _resident_kib("VmRSS")
        body()
        peak = _resident_kib("VmHWM")
    except (OSError, AttributeError) as error:
        return {"peak_bytes": None, "method": "", "reason": f"no peak resident size on this system: {error}"}
    return {"peak_bytes": max(0, peak - before) * 1024, "method": "resident", "reason": ""}


def _memory_on_gpu(torch, body):
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    body()
    torch.cuda.synchronize()
    return {"peak_bytes": max(0, torch.cuda.max_memory_allocated() - before), "method": "allocator", "reason": ""}


# ------------------------------------------------------------------------------------------- graph honesty


def _fact(holds, reason=""):
    return {"holds": holds, "reason": reason}


def _tried(body, what):
    """Whether `body` runs; the reason is the first line of what it raises."""
    try:
        return _fact(True, body() or "")
    except Exception as error:
        words = " ".join(str(error).split("\n\n")[0].split())
        return _fact(False, f"{what}: {type(error).__name__}: {words[:300]}")


def _longer(fields, by):
    """The same Problem with some tokens more in every sequence."""
    longer = [f"{s.query_length + by}x{s.key_length + by}p{s.prefix_length}" for s in _parse_sequences(fields["seqs"])]
    return {**fields, "seqs": ",".join(longer)}


class GraphHonesty:
    """What people who compile gate on, tried on one Problem."""

    def __init__(self, plan, fields):
        self.plan, self.fields, self.torch = plan, fields, plan.arrays.torch
        self.inputs = {name: plan.inputs[name] for name in ("q", "k", "v")}

    def facts(self):
        return {"compile": self.compile(), "no_sync": self.no_sync(), "capture": self.capture()}

    def _grown(self, by):
        """The Problem and its q, k, v with some tokens more in every sequence."""
        problem, torch = Problem(_longer(self.fields, by)), self.torch
        grown = {}
        for name, tensor in self.inputs.items():
            shape = list(tensor.shape)
            axis = {"thd": 0, "bshd": 1, "bhsd": 2}[problem.layout]
            shape[axis] += by * (len(problem.sequences) if problem.packed else 1)
            grown[name] = torch.ones(shape, dtype=tensor.dtype, device=tensor.device)
        return problem, grown

    def compile(self):
        """Traced whole, and not anew for every length: the second one tells dynamo what varies, a third is free.

        Code generation is left out, so that this takes seconds.
        """
        from torch._dynamo.testing import CompileCounter

        torch, plan, counter = self.torch, self.plan, CompileCounter()
        torch._dynamo.reset()

        def ask(q, k, v, problem):
            return plan.backend.forward(q, k, v, problem)

        compiled = torch.compile(ask, fullgraph=True, dynamic=True, backend=counter)

        def body():
            for problem, inputs in ((plan.problem, self.inputs), self._grown(8), self._grown(23)):
                plan.backend.prepare(problem, plan.lowering)
                for piece, part in plan.parts(inputs, problem):
                    with torch.no_grad():
                        compiled(part["q"], part["k"], part["v"], piece)

        fact = _tried(body, "torch.compile(fullgraph=True)")
        plan.backend.prepare(plan.problem, plan.lowering)
        if fact["holds"] and counter.frame_count > 2 * len(pieces(plan.problem, plan.lowering)):
            return _fact(False, f"compiled anew for each of three lengths ({counter.frame_count} times)")
        return fact

    def no_sync(self):
        """On a GPU torch's own sync debugging; on a CPU tensors without values show who reads one."""
        torch = self.torch
        if self.plan.arrays.device != "cpu":
            torch.cuda.set_sync_debug_mode("error")
            try:
                return _tried(self._forward, "waits for the device")
            finally:
                torch.cuda.set_sync_debug_mode("default")
        from torch._subclasses.fake_tensor import FakeTensorMode

        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            fake = {name: mode.from_tensor(tensor) for name, tensor in self.inputs.items()}
            fact = _tried(lambda: self._forward(fake), "reads a value on the host")
        if fact["holds"] or "DataDependent" in fact["reason"]:
            return fact
        return _fact(None, "tensors without values are no answer: " + fact["reason"].partition(": ")[2])

    def capture(self):
        torch = self.torch
        if self.plan.arrays.device == "cpu":
            return _fact(None, "needs a GPU")

        def body():
            stream = torch.cuda.Stream()
            with torch.cuda.stream(stream):
                self._forward()
            torch.cuda.synchronize()
            with torch.cuda.graph(torch.cuda.CUDAGraph()):
                self._forward()

        return _tried(body, "torch.cuda.graph")

    def _forward(self, inputs=None):
        for piece, part in self.plan.parts(inputs or self.inputs):
            self.plan.forward_only(piece, part)


# ------------------------------------------------------------------------------------------- the protocol


class Session:
    """What a worker answers to each request of the protocol; knows no socket."""

    def __init__(self, name, backends):
        self.name, self.backends = name, {one.name: one for one in backends}
        self.arrays, self.plan = {}, None

    def answer(self, request, memory_fd):
        handler = getattr(self, "on_" + str(request.get("type")), None)
        try:
            if handler is None:
                raise ContractError(f"'{request.get('type')}' is no request of protocol version {PROTOCOL}")
            answer = handler(request, memory_fd)
        except Exception as error:  # Whatever a kernel raises is an answer too.
            traceback.print_exc()
            memory = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
            answer = {"type": "error", "kind": "out_of_memory" if memory else "exception",
                      "message": _first_words(error)}  # fmt: skip
        return {**answer, "seq": request.get("seq")}

    def _arrays(self, name):
        if name not in self.arrays:
            self.arrays[name] = ARRAYS[name]()
        return self.arrays[name]

    def on_hello(self, request, _):
        known = request.get("features", [])
        return {"type": "hello", "worker": self.name, "protocol": PROTOCOL,
                "backends": [self._introduce(one, known) for one in self.backends.values()]}  # fmt: skip

    def _introduce(self, one, known):
        absent, version, device = one.absent, one.version, ""
        unknown = [token for token in one.features if known and token not in known]
        if unknown:
            absent = f"it declares {unknown[0]!r}, which is no feature token of this fathom; there are: " + " ".join(known)
        try:
            arrays = self._arrays(one.arrays)
            device = arrays.device_name() if isinstance(arrays, Torch) else arrays.device
            version = f"{version} ({arrays.version()})" if version not in ("", arrays.version()) else arrays.version()
        except ImportError as error:
            absent = absent or f"{one.arrays} cannot be imported: {error}"
        dtypes = [token[6:] for token in one.features if token.startswith("dtype.")]
        return {"name": one.name, "version": version, "device": device, "absent": absent,
                "lowerings": one.lowerings, "features": one.features if not absent else [],
                "arithmetic": {dtype: {**ARITHMETIC, **one.arithmetic(dtype)} for dtype in dtypes} if not absent else {}}  # fmt: skip

    def _find(self, request):
        if request["backend"] not in self.backends:
            raise ContractError(f"worker {self.name} has no backend '{request['backend']}'")
        return self.backends[request["backend"]]

    def on_support(self, request, _):
        one = self._find(request)
        try:
            refusal = self._why_refused(one, request)
        except Refused as refused:
            refusal = refused.code, str(refused)
        code, sentence = refusal or ("", "")
        return {"type": "support", "supported": not refusal, "code": code, "sentence": sentence}

    def _why_refused(self, one, request):
        if one.absent:
            return "absent", one.absent
        for token in request["features"]:
            if token not in one.features:
                return "feature." + token, f"{one.name} does not declare {token}"
        if request["lowering"] not in one.lowerings:
            return "lowering", f"{one.name} has no lowering '{request['lowering']}'"
        problem = Problem(request["problem"])
        sentence = one.why_unsupported(problem, request["lowering"])
        return ("backend", sentence) if sentence else None

    def on_prepare(self, request, memory_fd):
        self.plan = None
        if memory_fd is None:
            raise ContractError("prepare came without its shared memory")
        one = self._find(request)
        memory = mmap.mmap(memory_fd, request["memory_bytes"])
        for slot in request["inputs"] + request["outputs"]:
            end = slot["offset"] + _elements(slot) * _item_bytes(slot)
            if slot["offset"] < 0 or end > request["memory_bytes"]:
                raise ContractError(f"tensor {slot['name']} lies outside the memory")
        problem, self.fields = Problem(request["problem"]), request["problem"]
        self.plan = Plan(one, self._arrays(one.arrays), problem, request["lowering"], memory,
                         request["inputs"], request["outputs"])  # fmt: skip
        return {"type": "prepare", "lowering": request["lowering"]}

    def _prepared(self):
        if self.plan is None:
            raise ContractError("nothing is prepared")
        return self.plan

    def on_execute(self, _, __):
        plan = self._prepared()
        start = time.perf_counter_ns()
        outputs = plan.execute()
        return {"type": "execute", "outputs": outputs, "first_call_ns": float(time.perf_counter_ns() - start)}

    def on_time(self, request, _):
        plan = self._prepared()
        body = plan.timed(request["pass"])
        if body is None:
            return {"type": "time", "mode": "cpu", "samples_ns": [], "reason": f"the Problem has no pass '{request['pass']}'"}
        body()
        plan.arrays.synchronize()
        if plan.arrays.device == "cpu":
            return {"type": "time", **_time_on_cpu(body, request["samples"], request["cold"])}
        return {"type": "time", **_time_on_gpu(plan.arrays.torch, body, request["samples"], request["cold"])}

    def on_memory(self, _, __):
        plan = self._prepared()
        due = sum(_elements(slot) * _item_bytes(slot) for slot in plan.outputs)
        if plan.arrays.device == "cpu":
            return {"type": "memory", "output_bytes": due, **_memory_on_cpu(plan._answer)}
        return {"type": "memory", "output_bytes": due, **_memory_on_gpu(plan.arrays.torch, plan._answer)}

    def on_graph(self, _, __):
        plan = self._prepared()
        if not isinstance(plan.arrays, Torch):
            numpy = _fact(None, "numpy has no graphs and no device")
            return {"type": "graph", "compile": numpy, "no_sync": numpy, "capture": numpy}
        return {"type": "graph", **GraphHonesty(plan, self.fields).facts()}

    def on_release(self, _, __):
        self.plan = None
        return {"type": "release"}


def _first_words(error):
    """One line that names the error; the traceback goes to the worker's log."""
    if isinstance(error, ContractError):
        return str(error)
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:2000]}" if words else type(error).__name__


def _receive(channel, count, fds):
    """`count` bytes; a descriptor that comes along joins `fds`. Empty at the end of the channel."""
    found = b""
    while len(found) < count:
        part, ancillary, _, _ = channel.recvmsg(count - len(found), socket.CMSG_SPACE(array.array("i").itemsize))
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.append(struct.unpack("i", data[:4])[0])
        if not part:
            return b""
        found += part
    return found


def serve(name=None, backends=None):
    """Answers the driver until it says bye; the last line of a worker."""
    backends = _registered if backends is None else backends
    name = name or os.path.splitext(os.path.basename(sys.argv[0]))[0] or "python"
    try:
        channel = socket.socket(fileno=3)
    except OSError:
        names = ", ".join(one.name for one in backends)
        sys.exit(f"{name} is a fathom worker with the backends {names}; run it as:\n"
                 f"  fathom run --worker {name}='{sys.executable} {sys.argv[0]}' --backend {backends[0].name}")  # fmt: skip
    session = Session(name, backends)
    while True:
        fds = []
        header = _receive(channel, 4, fds)
        if not header:
            return
        (length,) = struct.unpack("<I", header)
        if length > MOST_FRAME_BYTES:
            sys.exit(f"a frame of {length} bytes was announced; at most {MOST_FRAME_BYTES} are allowed")
        request = json.loads(_receive(channel, length, fds))
        if request.get("type") == "bye":
            return
        answer = session.answer(request, fds[0] if fds else None)
        for fd in fds:
            os.close(fd)
        reply = json.dumps(answer).encode()
        channel.sendall(struct.pack("<I", len(reply)) + reply)
