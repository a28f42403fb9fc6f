# SPDX-License-Identifier: Apache-2.0
"""What the authors of Python workers are promised: the README's example runs as printed, a planted mistake in it is
caught and explained, gradients come from autograd or by hand, and whatever a worker does has a verdict of its own.

Usage: sdk.py BUILD_FOLDER PYTHON
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BUILD, PYTHON = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
ROOT = pathlib.Path(__file__).resolve().parents[3]
CASE = "dir={dir} dtype=f32 layout={layout} hq=2 hkv=2 d={d} dv={d} seqs={seqs} mask={mask} {more}fill=normal seed=1"
failures = []


def check(what, condition, said):
    print(f"{'ok' if condition else 'NO'}  {what}")
    if not condition:
        failures.append(what)
        print(said)


def case(**fields):
    return CASE.format(**{"dir": "fwd", "layout": "bshd", "d": 16, "seqs": "40", "mask": "full", "more": "", **fields})


def shell(command, folder, **environment):
    path = f"{BUILD}:{os.environ['PATH']}"
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PATH": path, **environment})


def judge(folder, text, cases, *options, workers=("w",)):
    """The records of a worker written as `text`, and what was printed."""
    (folder / "w.py").write_text(text)
    command = [str(BUILD / "fathom"), "run", "--no-measure", "--quiet", "--out", "out", *options]
    for name in workers:
        command += ["--worker", f"{name}='{PYTHON}' w.py", "--backend", name]
    for one in cases:
        command += ["--case", one]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "backends" / "python")})
    report = folder / "out" / "report.json"
    return (json.loads(report.read_text())["records"] if report.exists() else []), done.stdout + done.stderr


def readme_example():
    """The Python block and the command that follows it in the README."""
    text = (ROOT / "README.md").read_text()
    found = re.search(r"```python\n(.*?)```.*?```sh\n(.*?)```", text, re.S)
    return found.group(1), found.group(2).strip()


def scratch_home():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fathom-sdk."))
    (folder / "backends").symlink_to(ROOT / "backends")
    (folder / ".venv").symlink_to(pathlib.Path(PYTHON).parent.parent)
    return folder


# ------------------------------------------------------------------------------------------ the README


def test_readme():
    code, command = readme_example()
    lines = [line for line in code.splitlines() if line.strip()]
    check(f"the README's example has ten statements on {len(lines)} lines", len(lines) <= 11, code)
    home = scratch_home()
    (home / "mine.py").write_text(code)
    done = shell(command, home)
    score = re.search(r"CONFORMANT: (\d+) of (\d+) judged", done.stdout)
    check(f"its command says {score.group(0) if score else None}",
          done.returncode == 0 and score and score[1] == score[2] and int(score[1]) >= 8, done.stdout + done.stderr)


PLANTED = [  # what, the line's change, words of the explanation
    ("causal=False", ("~problem.visible(torch)", "torch.zeros(s.shape[1:], dtype=torch.bool)"), r"mask full"),
    ("a shifted window", ("    s = problem", "    problem.terms = [('window', 10, 2)]\n    s = problem"), r"window\(10,2\)|window|edge"),
    ("a dropped key", ("    return", "    s[:, :, -1] = -torch.inf\n    return"), r"without the last key"),
]


def test_planted_in_readme():
    code, _ = readme_example()
    home = scratch_home()
    for what, (old, new), words in PLANTED:
        assert old in code, old
        mask = "window(9,3)" if "window" in what else "causal(bottom_right)" if "causal" in what else "full"
        records, said = judge(home, code.replace(old, new).replace('"mine"', '"w"'), [case(mask=mask)])
        explanation = (records[0].get("explanation") or {}).get("sentence", "") if records else ""
        caught = bool(records) and records[0]["verdict"] == "fail"
        check(f"{what} is caught and explained: {explanation}", caught and re.search(words, explanation, re.I), said)


# --------------------------------------------------------------------------------------- gradients, LSE

TORCH = """
import torch, fathom_worker as fathom
@fathom.backend("w", arithmetic={"p_dtype": "f32", "ds_dtype": "f32"}, features=["dtype.f32", "dtype.f16", "dtype.bf16",
    "mask.causal", "mask.causal.bottom_right", "mask.prefix_lm", "gqa", "dv", "cross_lengths", "scale", "backward", "lse",
    "dlse"])
def attention(q, k, v, problem):
    group = problem.query_heads // problem.kv_heads
    q, k, v = q.float(), k.float().repeat_interleave(group, 0), v.float().repeat_interleave(group, 0)
    s = (problem.softmax_scale * q @ k.transpose(1, 2)).masked_fill(~problem.visible(torch), -torch.inf)
    return (s.softmax(-1) @ v).to(getattr(torch, fathom.Torch.DTYPES[problem.dtype])), s.logsumexp(-1)
fathom.serve()
"""

BY_HAND = """
import numpy as np, fathom_worker as fathom
@fathom.backend("w", features=["dtype.f32", "dtype.bf16", "mask.causal", "backward", "lse"], arrays="numpy",
                arithmetic={"p_dtype": "f32", "ds_dtype": "f32"})
def attention(q, k, v, problem):
    p, lse = weights(q, k, problem)
    return p @ v, lse
def weights(q, k, problem):
    s = problem.softmax_scale * q @ k.swapaxes(1, 2)
    s[:, ~problem.visible(np)] = -np.inf
    top = s.max(-1, keepdims=True)
    lse = top + np.log(np.exp(s - top).sum(-1, keepdims=True))
    return np.exp(s - lse), lse[..., 0]
@attention.backward
def gradients(q, k, v, o, lse, dout, dlse, problem):
    p, _ = weights(q, k, problem)
    ds = p * (dout @ v.swapaxes(1, 2) - (dout * o).sum(-1, keepdims=True)) * SCALE
    return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dout
fathom.serve()
"""


def test_gradients():
    home = scratch_home()
    both = "fwd+bwd"
    cases = [case(dir=both), case(dir=both, mask="causal(bottom_right)", seqs="2*24x40"),
             case(dir=both, layout="thd", seqs="37p5,20p20,1p0", mask="prefix_lm", more="lse=required dlse=true "),
             case(dir=both, layout="bhsd").replace("f32", "bf16")]
    records, said = judge(home, TORCH, cases)
    verdicts = [record["verdict"] for record in records]
    check(f"autograd, LSE and its cotangent, in every layout: {verdicts}", verdicts == ["pass"] * len(cases), said)
    cases = [case(dir=both, mask="causal(bottom_right)"), case(dir=both, layout="thd", seqs="30,7").replace("f32", "bf16")]
    for scale, want in (("problem.softmax_scale", "pass"), ("1.0", "fail")):
        records, said = judge(home, BY_HAND.replace("SCALE", scale), cases)
        verdicts = [record["verdict"] for record in records]
        check(f"gradients by hand, times {scale}: {verdicts}", verdicts == [want] * 2, said)
    records, said = judge(home, BY_HAND.replace("SCALE", "1").replace("@attention.backward", ""), cases[:1])
    check("numpy without a backward says so", "no autograd" in records[0]["reason"], said)


# ------------------------------------------------------------------------------------------ misbehaviour

BAD = """
import os, sys, time, numpy as np, fathom_worker as fathom
@fathom.backend("w", features=["dtype.f32"], arrays="numpy")
def attention(q, k, v, problem):
    s = problem.softmax_scale * q @ k.swapaxes(1, 2)
    p = np.exp(s - s.max(-1, keepdims=True))
    o = p @ v / p.sum(-1, keepdims=True)
    if q.shape[-1] == 8:
        PLANT
    return o
fathom.serve()
"""

# plant, verdict of the case that meets it, words of its reason
PLANTS = [
    ("raise ValueError('planted words')", "fail", r"ValueError: planted words"),
    ("return o[:, 1:]", "fail", r"o has shape \(2, 39, 8\); \(2, 40, 8\) is due"),
    ("return o.astype('float64')", "fail", r"o has dtype float64; float32 is due"),
    ("return None", "fail", r"o was not returned|not a numpy array|NoneType"),
    ("return o, o, o", "fail", r"3 values came back"),
    ("raise MemoryError('planted')", "out_of_memory", r"planted"),
    ("os._exit(3)", "crash", r"died during execute: exit\(3\)"),
    ("os.kill(os.getpid(), 11)", "crash", r"SIGSEGV"),
    ("sys.exit('planted end')", "crash", r"died during execute"),
    ("time.sleep(3600)", "hang", r"deadline"),
    ("os.write(3, b'no frame at all')", "protocol_error", r"nonsense"),
    ("print('x' * 100000); sys.stderr.write('planted noise\\n')", "pass", r""),
    ("q[0, 0, 0] = 99.0", "fail", r"input|chang|read-only|writ"),
]


def test_misbehaviour():
    home = scratch_home()
    for plant, want, words in PLANTS:
        records, said = judge(home, BAD.replace("PLANT", plant), [case(d=8), case(d=16)], "--deadline", "4")
        verdicts = [record["verdict"] for record in records]
        reason = records[0]["reason"] if records else ""
        good = verdicts == [want, "pass"] and re.search(words, reason)
        check(f"{plant[:40]}: {verdicts} {reason[:90]}", good, said)


def test_hello():
    home = scratch_home()
    records, said = judge(home, BAD.replace("dtype.f32", "dtype.f23"), [case()])
    check("a feature token that does not exist is named", "'dtype.f23'" in said and "dtype.f32" in said, said)
    _, said = judge(home, "import no_such_module\n", [case()])
    check("a worker that cannot start is absent, with its last words", "No module named 'no_such_module'" in said, said)
    done = shell(f"'{PYTHON}' w.py", home, PYTHONPATH=str(ROOT / "backends" / "python"))
    (home / "w.py").write_text(BAD.replace("PLANT", "pass"))
    done = shell(f"'{PYTHON}' w.py", home, PYTHONPATH=str(ROOT / "backends" / "python"))
    check("a worker run by hand says how to run it", "fathom run --worker w=" in done.stderr, done.stderr)
    records, said = judge(home, BAD.replace("PLANT", "pass"), [case()], workers=("w", "other"))
    names = [record["planned"]["backend"] for record in records]
    check(f"two workers with one backend stand side by side: {names}", sorted(names) == ["other", "w"], said)


GRAPH = """
import torch, fathom_worker as fathom
def honest(q, k, v, problem):
    s = (problem.softmax_scale * q @ k.transpose(1, 2)).masked_fill(~problem.visible(torch), -torch.inf)
    return s.softmax(-1) @ v
@fathom.backend("honest", features=["dtype.f32"])
def attention(q, k, v, problem):
    return honest(q, k, v, problem)
@fathom.backend("waits", features=["dtype.f32"])
def waits(q, k, v, problem):
    return honest(q, k, v, problem) * (1 if q.max().item() > 0 else 2)
@fathom.backend("breaks", features=["dtype.f32"])
def breaks(q, k, v, problem):
    torch._dynamo.graph_break()
    return honest(q, k, v, problem)
@fathom.backend("recompiles", features=["dtype.f32"])
def recompiles(q, k, v, problem):
    return honest(q, k, v, problem) * sum(q.shape[1] == n for n in range(60))
fathom.serve()
"""

# backend, what the row of `fathom support --graph` holds
GRAPH_ROWS = [("honest", r"yes +yes +unknown"), ("waits", r"no +no +unknown"), ("breaks", r"no +yes +unknown"),
              ("recompiles", r"no +yes +unknown")]  # fmt: skip


def test_graph():
    home = scratch_home()
    (home / "w.py").write_text(GRAPH)
    options = " ".join("--backend " + name for name, _ in GRAPH_ROWS)
    said = shell(f"fathom support --graph --worker w=\"'{PYTHON}' w.py\" {options} --backend eigen", home,
                 PYTHONPATH=str(ROOT / "backends" / "python"), FATHOM_DEVICE="cpu").stdout
    for name, row in GRAPH_ROWS:
        check(f"graph honesty of {name}", re.search(rf"^{name} +{row}$", said, re.M), said)
    reasons = ("waits, never waits: reads a value on the host", "breaks, compiles whole: torch.compile", "compiled anew",
               "eigen: its worker does not tell")  # fmt: skip
    check("and the reasons", all(words in said for words in reasons), said)


for test in (test_readme, test_planted_in_readme, test_gradients, test_misbehaviour, test_hello, test_graph):
    test()
print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
