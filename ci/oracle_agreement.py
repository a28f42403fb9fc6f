#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the oracle agree with attention written from its definition in plain torch fp64?

    python ci/oracle_agreement.py build/release [--problems 200] [--seed 1]

Draws random Problems, writes their Inputs, lets fathom-oracle-dump answer, and compares O, LSE, dQ, dK and dV by
relative Frobenius error. None of fathom's arithmetic is used: masks, softmax and gradients (autograd) are this
file's own. Exits with 1 if any error exceeds 1e-12.
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
    """A mask's text and its terms visible(i, j, at, prefix): query i stands at token `at` of the sequence."""
    left, right = rng.choice([-1, rng.randint(0, longest)]), rng.choice([-1, rng.randint(0, 3)])
    lengths = [rng.randint(1, max(1, longest // 2)) for _ in range(rng.randint(1, 3))]
    ends = torch.tensor(lengths).cumsum(0)
    document_of = lambda token: (token[..., None] >= ends).sum(-1)
    terms = {
        "causal(bottom_right)": lambda i, j, at, prefix: j <= at,
        "causal(top_left)": lambda i, j, at, prefix: j <= i,
        f"window({left},{right})": lambda i, j, at, prefix:
            ((left < 0) | (j >= at - left)) & ((right < 0) | (j <= at + right)),
        "prefix_lm": lambda i, j, at, prefix: (j <= at) & (at >= prefix) | (at < prefix) & (j < prefix),
        f"document({','.join(map(str, lengths))})": lambda i, j, at, prefix: document_of(at) == document_of(j),
    }
    names = rng.sample(sorted(terms), rng.choice([0, 1, 1, 1, 2]))
    return "&".join(names) or "full", [terms[name] for name in names]


def draw_problem(rng):
    """The fields of a Problem, its sequences as (queries, keys, prefix), and the terms of its mask."""
    hkv, longest = rng.randint(1, 3), rng.choice([6, 40, 150, 300])
    p = {"dir": rng.choice(["fwd", "fwd+bwd", "fwd+bwd"]), "dtype": rng.choice(list(DTYPES)),
         "layout": rng.choice(["bshd", "bhsd", "thd"]), "hq": hkv * rng.choice([1, 1, 2, 4]), "hkv": hkv,
         "d": rng.choice([1, 3, 8, 16, 64]), "dv": rng.choice([1, 3, 8, 16, 80])}
    p["mask"], terms = draw_mask(rng, longest)
    packed, prefixes = p["layout"] == "thd", "prefix_lm" in p["mask"]
    lengths = []
    for _ in range(rng.randint(1, 4)):
        keys = rng.choice([rng.randint(1, longest), longest] + [0] * packed)
        queries = rng.choice([keys, rng.randint(1, longest)] + [0] * packed)
        if prefixes or "document" in p["mask"]:  # A query before the first token belongs to neither.
            queries = min(queries, keys)
        if lengths and not packed:
            queries, keys = lengths[0][:2]
        lengths.append((queries, keys, rng.randint(0, keys) if prefixes else 0))
    p["seqs"] = ",".join(f"{q}x{k}" + (f"p{n}" if n else "") for q, k, n in lengths)
    if rng.random() < 0.3:
        p["scale"] = rng.choice([0.3, 1.7, 0.01])
    if p["dir"] == "fwd+bwd" and rng.random() < 0.5:
        p["dlse"], p["lse"] = "true", "required"
    return p, lengths, terms


def attend(q, k, v, scale, visible):
    """O (queries, heads, dv) and LSE (heads, queries) of one sequence; a row that sees nothing: 0, -infinity."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    empty = ~visible.any(1)
    scores = scale * torch.einsum("ihd,jhd->hij", q, k)
    scores = scores.masked_fill(~(visible | empty[:, None]), -math.inf)
    lse = torch.logsumexp(scores, 2) if k.shape[0] else scores.sum(2)
    o = torch.einsum("hij,jhd->ihd", torch.exp(scores - lse[:, :, None]) * ~empty[:, None], v)
    return o, lse.masked_fill(empty, -math.inf)


def expected(p, lengths, terms, x):
    """The outputs, packed (tokens, heads, width), LSE (heads, tokens); gradients by autograd."""
    x = {name: tensor.double().requires_grad_(name in "qkv") for name, tensor in x.items()}
    outs, lses, first_q, first_k = [], [], 0, 0
    for queries, keys, prefix in lengths:
        i, j = torch.arange(queries)[:, None], torch.arange(keys)[None, :]
        visible = torch.ones(queries, keys, dtype=torch.bool)
        for term in terms:  # Queries are the last tokens of their sequence.
            visible &= term(i, j, i + keys - queries, prefix)
        q, k, v = (x[n][a:a + b] for n, a, b in (("q", first_q, queries), ("k", first_k, keys), ("v", first_k, keys)))
        o, lse = attend(q, k, v, p.get("scale", 1 / math.sqrt(p["d"])), visible)
        outs, lses, first_q, first_k = outs + [o], lses + [lse], first_q + queries, first_k + keys
    want = {"o": torch.cat(outs), "lse": torch.cat(lses, 1)}
    if "dout" in x:
        loss = (want["o"] * x["dout"]).sum()
        if "dlse" in x:
            loss = loss + (want["lse"].masked_fill(want["lse"].isinf(), 0) * x["dlse"]).sum()
        want |= {"d" + n: g for n, g in zip("qkv", torch.autograd.grad(loss, [x[n] for n in "qkv"]))}
    return {name: tensor.detach() for name, tensor in want.items()}


def stored(p, batch, name, x):
    """A packed tensor in the order in which the Problem's layout stores it; bshd is stored like thd."""
    if name.endswith("lse"):
        return x if p["layout"] == "thd" else x.unflatten(1, (batch, -1)).transpose(0, 1)
    return x.unflatten(0, (batch, -1)).transpose(1, 2) if p["layout"] == "bhsd" else x


def draw_inputs(p, lengths, generator):
    queries, keys = sum(n[0] for n in lengths), sum(n[1] for n in lengths)
    draw = lambda dtype, *shape: torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    dtype = DTYPES[p["dtype"]]
    x = {"q": draw(dtype, queries, p["hq"], p["d"]), "k": draw(dtype, keys, p["hkv"], p["d"]),
         "v": draw(dtype, keys, p["hkv"], p["dv"])}
    if p["dir"] == "fwd+bwd":
        x["dout"] = draw(dtype, queries, p["hq"], p["dv"])
    if "dlse" in p:
        x["dlse"] = draw(torch.float64 if p["dtype"] == "f64" else torch.float32, p["hq"], queries)
    return x


def relative_error(got, want):
    finite = want.isfinite()
    if got.shape != want.shape or not torch.equal(got[~finite], want[~finite]):
        return math.inf
    norm, error = want[finite].norm().item(), (got[finite] - want[finite]).norm().item()
    return error / norm if norm else error


def bytes_of(x):
    return x.contiguous().flatten().view(torch.uint8).numpy().tobytes() if x.numel() else b""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="build folder that holds tests/fathom-oracle-dump")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, generator = random.Random(options.seed), torch.Generator().manual_seed(options.seed)
    worst = {}
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [options.build / "tests/fathom-oracle-dump"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as dump:
        for _ in range(options.problems):
            p, lengths, terms = draw_problem(rng)
            text = " ".join(f"{key}={value}" for key, value in p.items())
            x = draw_inputs(p, lengths, generator)
            for name, tensor in x.items():
                pathlib.Path(folder, f"{name}.raw").write_bytes(bytes_of(stored(p, len(lengths), name, tensor)))
            print(f"{folder} {text} fill=normal seed=1", file=dump.stdin, flush=True)
            if not dump.stdout.readline():
                sys.exit(f"fathom-oracle-dump ended at: {text}")
            for name, want in expected(p, lengths, terms, x).items():
                raw = pathlib.Path(folder, f"{name}.f64").read_bytes()
                got = torch.frombuffer(bytearray(raw), dtype=torch.float64) if raw else torch.empty(0, dtype=torch.float64)
                error = relative_error(got, stored(p, len(lengths), name, want).flatten())
                worst[name] = max(worst.get(name, (-1.0, "")), (error, text))
        dump.stdin.close()
    for name, (error, text) in worst.items():
        print(f"{name:4} worst {error:.1e}  limit {LIMIT:.0e}  {text}")
    failed = [name for name, (error, _) in worst.items() if not error <= LIMIT]
    print(f"{options.problems} problems: " + ("disagreement in " + ", ".join(failed) if failed else "the oracle agrees"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
