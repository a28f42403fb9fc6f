#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the oracle agree with attention written from its definition in plain torch fp64?

    python ci/oracle_agreement.py build/release [--problems 200] [--seed 1]

Draws random Problems, writes their Inputs, lets fathom-oracle-dump answer, and compares O, LSE, dQ, dK and dV
by relative Frobenius error. Nothing of fathom's arithmetic is used here: masks, softmax and gradients (autograd)
are this file's own. Exits with 1 if any error exceeds 1e-12.
"""
import argparse
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import torch

LIMIT = 1e-12
DTYPES = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def draw_mask(rng, longest):
    """A mask text, and visible(i, j, n_q, n_k, prefix) over index tensors."""
    def at(i, n_q, n_k):  # Queries are the last n_q tokens of the sequence.
        return i + n_k - n_q
    left, right = rng.choice([-1, rng.randint(0, longest)]), rng.choice([-1, rng.randint(0, 3)])
    lengths = [rng.randint(1, max(1, longest // 2)) for _ in range(rng.randint(1, 3))]
    edges = torch.tensor(lengths).cumsum(0)
    terms = {
        "causal(bottom_right)": lambda i, j, n_q, n_k, p: j <= at(i, n_q, n_k),
        "causal(top_left)": lambda i, j, n_q, n_k, p: j <= i,
        f"window({left},{right})": lambda i, j, n_q, n_k, p: (
            ((left < 0) | (j >= at(i, n_q, n_k) - left)) & ((right < 0) | (j <= at(i, n_q, n_k) + right))),
        "prefix_lm": lambda i, j, n_q, n_k, p: torch.where(at(i, n_q, n_k) < p, j < p, j <= at(i, n_q, n_k)),
        f"document({','.join(map(str, lengths))})": lambda i, j, n_q, n_k, p: (
            torch.bucketize(at(i, n_q, n_k), edges, right=True) == torch.bucketize(j, edges, right=True)),
    }
    names = rng.sample(sorted(terms), rng.choice([0, 1, 1, 1, 2]))
    return "&".join(names) or "full", [terms[name] for name in names]


def draw_problem(rng):
    """Fields of a Problem, its sequences (n_q, n_k, prefix) and the mask as a function."""
    hkv, group = rng.randint(1, 3), rng.choice([1, 1, 2, 4])
    p = {"dir": rng.choice(["fwd", "fwd+bwd", "fwd+bwd"]), "dtype": rng.choice(list(DTYPES)),
         "layout": rng.choice(["bshd", "bhsd", "thd"]), "hq": hkv * group, "hkv": hkv,
         "d": rng.choice([1, 3, 8, 16, 64]), "dv": rng.choice([1, 3, 8, 16, 80])}
    longest = rng.choice([6, 40, 150, 300])
    mask, terms = draw_mask(rng, longest)
    pick = lambda: rng.choice([rng.randint(1, longest), longest] + [0] * (p["layout"] == "thd"))
    count, cross = rng.randint(1, 4), rng.random() < 0.5
    lengths = []
    for _ in range(count):
        n_k = pick()
        n_q = pick() if cross else n_k
        # A query before the first token has no place in a prefix or a document.
        if "prefix" in mask or "document" in mask:
            n_q = min(n_q, n_k)
        lengths.append((n_q, n_k, rng.randint(0, n_k) if "prefix" in mask else 0))
    if p["layout"] != "thd":
        lengths = [(lengths[0][0], lengths[0][1], rng.randint(0, lengths[0][1]) if "prefix" in mask else 0)
                   for _ in range(count)]
    p["seqs"] = ",".join(f"{q}x{k}p{n}" if n else f"{q}x{k}" for q, k, n in lengths)
    p["mask"] = mask
    if rng.random() < 0.3:
        p["scale"] = rng.choice([0.3, 1.7, 0.01])
    if p["dir"] == "fwd+bwd" and rng.random() < 0.5:
        p["dlse"], p["lse"] = "true", "required"
    return p, lengths, terms


def attend(q, k, v, scale, visible):
    """softmax(scale Q K^T) V and the log-sum-exp of one head, from the definition, in fp64."""
    scores = (scale * (q @ k.T)).masked_fill(~visible, -math.inf)
    empty = ~visible.any(1)
    # A row that sees nothing has an output of zero and a log-sum-exp of -infinity.
    lse = torch.logsumexp(scores.masked_fill(empty[:, None], 0), 1) if k.shape[0] else scores.new_zeros(q.shape[0])
    weights = torch.exp(scores - lse[:, None]) * visible
    return weights @ v, torch.where(empty, torch.zeros_like(lse), lse), empty


def split(tensor, layout, starts, s, h):
    """Rows of one (sequence, head)."""
    if layout == "thd":
        return tensor[starts[s]:starts[s + 1], h]
    return tensor[s, :, h] if layout == "bshd" else tensor[s, h]


def expected(p, lengths, terms, inputs):
    """Every output as autograd sees it; LSE of empty rows is -infinity."""
    x = {name: t.double().requires_grad_(name in "qkv") for name, t in inputs.items()}
    layout, group = p["layout"], p["hq"] // p["hkv"]
    starts_q = [sum(n[0] for n in lengths[:i]) for i in range(len(lengths) + 1)]
    starts_k = [sum(n[1] for n in lengths[:i]) for i in range(len(lengths) + 1)]
    rows = (starts_q[-1],) if layout == "thd" else (len(lengths), lengths[0][0])
    o = torch.zeros(shape_of(layout, rows, p["hq"], p["dv"]), dtype=torch.float64)
    lse = torch.zeros((p["hq"], *rows) if layout == "thd" else (rows[0], p["hq"], rows[1]), dtype=torch.float64)
    loss = torch.zeros((), dtype=torch.float64)
    for s, (n_q, n_k, prefix) in enumerate(lengths):
        i, j = torch.arange(n_q)[:, None], torch.arange(n_k)[None, :]
        visible = torch.ones(n_q, n_k, dtype=torch.bool)
        for term in terms:
            visible = visible & term(i, j, n_q, n_k, prefix)
        for h in range(p["hq"]):
            q, k, v = (split(x[n], layout, b, s, i) for n, b, i in
                       (("q", starts_q, h), ("k", starts_k, h // group), ("v", starts_k, h // group)))
            out, log, empty = attend(q, k, v, p.get("scale", 1 / math.sqrt(p["d"])), visible)
            at = lse[h, starts_q[s]:starts_q[s + 1]] if layout == "thd" else lse[s, h]
            split(o, layout, starts_q, s, h).copy_(out.detach())
            at.copy_(torch.where(empty, -math.inf, log.detach()))
            if "dout" in x:
                loss = loss + (out * split(x["dout"], layout, starts_q, s, h)).sum()
            if "dlse" in x:
                dlse = x["dlse"][h, starts_q[s]:starts_q[s + 1]] if layout == "thd" else x["dlse"][s, h]
                loss = loss + (log * dlse).sum()
    want = {"o": o, "lse": lse}
    if "dout" in x:
        grads = torch.autograd.grad(loss, [x[n] for n in "qkv"], allow_unused=True) if loss.requires_grad else [None] * 3
        want |= {"d" + n: torch.zeros_like(x[n]) if g is None else g for n, g in zip("qkv", grads)}
    return want


def shape_of(layout, rows, heads, width):
    if layout == "bhsd":
        return (rows[0], heads, rows[1], width)
    return (*rows, heads, width)


def make_inputs(p, lengths, generator):
    n_q, n_k = sum(n[0] for n in lengths), sum(n[1] for n in lengths)
    rows_q, rows_k = ((n_q,), (n_k,)) if p["layout"] == "thd" else (
        (len(lengths), lengths[0][0]), (len(lengths), lengths[0][1]))
    shapes = {"q": (rows_q, p["hq"], p["d"]), "k": (rows_k, p["hkv"], p["d"]), "v": (rows_k, p["hkv"], p["dv"])}
    if p["dir"] == "fwd+bwd":
        shapes["dout"] = (rows_q, p["hq"], p["dv"])
    draw = lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)
    inputs = {n: draw(shape_of(p["layout"], *s)).to(DTYPES[p["dtype"]]) for n, s in shapes.items()}
    if "dlse" in p:
        shape = (p["hq"], n_q) if p["layout"] == "thd" else (len(lengths), p["hq"], lengths[0][0])
        inputs["dlse"] = draw(shape).to(torch.float64 if p["dtype"] == "f64" else torch.float32)
    return inputs


def relative_error(got, want):
    finite = torch.isfinite(want)
    if not torch.equal(got[~finite], want[~finite]):
        return math.inf
    norm = want[finite].norm().item()
    error = (got[finite] - want[finite]).norm().item()
    return error / norm if norm else error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="build folder that holds tests/fathom-oracle-dump")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, generator = random.Random(options.seed), torch.Generator().manual_seed(options.seed)
    worst = {}
    with tempfile.TemporaryDirectory() as root:
        problems = []
        for n in range(options.problems):
            folder = pathlib.Path(root, str(n))
            folder.mkdir()
            p, lengths, terms = draw_problem(rng)
            inputs = make_inputs(p, lengths, generator)
            for name, tensor in inputs.items():
                (folder / f"{name}.raw").write_bytes(bytes(tensor.contiguous().view(torch.uint8).numpy()) if tensor.numel() else b"")
            problems.append((folder, " ".join(f"{k}={v}" for k, v in p.items()), expected(p, lengths, terms, inputs)))
        lines = "".join(f"{folder} {text} fill=normal seed=1\n" for folder, text, _ in problems)
        subprocess.run([options.build / "tests/fathom-oracle-dump"], input=lines, text=True, check=True, stdout=subprocess.DEVNULL)
        for folder, text, want in problems:
            for name, tensor in want.items():
                raw = bytearray((folder / f"{name}.f64").read_bytes())
                got = torch.frombuffer(raw, dtype=torch.float64) if raw else torch.empty(0, dtype=torch.float64)
                error = relative_error(got, tensor.flatten()) if got.numel() == tensor.numel() else math.inf
                worst[name] = max(worst.get(name, (-1, "")), (error, text))
    for name, (error, text) in worst.items():
        print(f"{name:4} worst {error:.2e} of {LIMIT:.0e}   {text}")
    failed = [name for name, (error, _) in worst.items() if not error <= LIMIT]
    print(f"{options.problems} problems: " + ("disagreement in " + ", ".join(failed) if failed else "the oracle agrees"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
