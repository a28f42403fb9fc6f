# SPDX-License-Identifier: Apache-2.0
"""The backends flex:eager and flex:compiled on a CPU: right where they answer, in torch's words where torch refuses.

Usage: flex_test.py BUILD_FOLDER, by a Python that has torch; compiles one kernel
"""

import os
import pathlib
import re
import sys
import tempfile

import checks

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

CASE = ("dir={dir} dtype={dtype} layout={layout} hq=4 hkv=2 d=64 dv=64 seqs={seqs} mask={mask} {more}fill=flat "
        "seed=1")  # fmt: skip
DEFAULTS = {"dir": "fwd", "dtype": "f32", "layout": "bshd", "seqs": "2*65", "mask": "causal(bottom_right)", "more": ""}

# (what, backend, case, verdict, words of its reason)
ROWS = [
    ("dense, one prefix each", "eager", {"seqs": "70p30,70p5", "mask": "prefix_lm"}, "pass", ""),
    ("packed, an empty sequence", "eager", {"layout": "thd", "seqs": "17x40,0,40x17p3,64p9", "mask": "prefix_lm"},
     "pass", ""),
    ("documents and a window", "eager", {"layout": "bhsd", "mask": "document(20,30)&window(9,4)", "dtype": "f64"},
     "pass", ""),
    ("no query", "eager", {"seqs": "2*0x16", "mask": "full"}, "vacuous", ""),
    ("no key", "eager", {"seqs": "2*16x0", "mask": "full"}, "unsupported", r"refuses queries without keys: max\(\)"),
    ("gradients", "eager", {"dir": "fwd+bwd"}, "unsupported", "refuses gradients: FlexAttention does not support"),
    ("gradients", "compiled", {"dir": "fwd+bwd"}, "unsupported", "FlexAttention does not support backward on CPU"),
    ("the LSE", "compiled", {"more": "lse=required "}, "unsupported", "`return_lse` is not supported yet"),
    ("fp64", "compiled", {"dtype": "f64"}, "unsupported", "Found input tensors are `torch.float64`"),
]  # fmt: skip


def case(fields):
    return CASE.format(**{**DEFAULTS, **fields})


def run(backend, cases, *options, **variables):
    """The records of `fathom run` on these cases, in their order."""
    asked = [case(fields) for fields in cases]
    _, report = checks.run(sys.argv[1], asked, "--backend", "flex:" + backend, *options, **variables)
    return report["records"]


def rows_of(backend):
    return [row for row in ROWS if row[1] == backend]


def check_answers_and_refusals(rows, records):
    for row, record in zip(rows, records, strict=True):
        got = record["verdict"], record["reason"]
        assert got[0] == row[3] and re.search(row[4], got[1]), (row[0], got)


def check_eager():
    rows = rows_of("eager")
    check_answers_and_refusals(rows, run("eager", [row[2] for row in rows], "--no-measure"))


def check_compiled(cache):
    """The first execution compiles, which is no latency; no sample does, or it would raise."""
    rows = rows_of("compiled")
    record, *others = run("compiled", [{}, *(row[2] for row in rows)], TORCHINDUCTOR_CACHE_DIR=cache)
    check_answers_and_refusals(rows, others)
    assert record["verdict"] == "pass", record["reason"]
    (latency,) = record["measurement"]["latency"]
    assert record["measurement"]["first_call_ns"] > 100 * max(latency["samples_ns"]), record["measurement"]


def check_a_broken_compiler_is_one_sentence():
    (record,) = run("compiled", [{}], "--no-measure", CXX="/bin/false")
    (finding,) = record["findings"]
    words = r"torch\.compile with the C\+\+ compiler /bin/false failed: No working C\+\+ compiler found"
    assert record["verdict"] == "fail" and re.search(words, finding["message"]), record
    assert "\n" not in finding["message"] and "Traceback" not in finding["message"], finding["message"]


def check_an_uncompiled_answer_is_refused():
    (record,) = run("compiled", [{}], "--no-measure", TORCH_COMPILE_DISABLE="1")
    (finding,) = record["findings"]
    assert record["verdict"] == "fail" and "torch.compile is switched off" in finding["message"], record


def check_compiling_again_is_an_error(cache):
    """Never a silent fall back to eager, nor another compilation; the first one lies in the cache."""
    import torch

    import fathom_worker
    import flex

    os.environ.update(FATHOM_DEVICE="cpu", TORCHINDUCTOR_CACHE_DIR=cache)
    fields = dict(word.split("=", 1) for word in case({}).split()[:-2])
    fields.update({key: int(fields[key]) for key in ("hq", "hkv", "d", "dv")})
    fields.update(scale="default", lse="no", dlse=False, deterministic=False)
    problem = fathom_worker.Problem(fields)
    backend = flex.CompiledFlex()
    backend.prepare(problem, "native")
    q, k = (torch.zeros(2, 65, heads, 64) for heads in (4, 2))
    backend.forward(q, k, k.clone(), problem)
    try:
        backend.forward(q.half(), k.half(), k.half(), problem)
    except fathom_worker.ContractError as error:
        assert "torch.compile would compile again" in str(error), error
    else:
        raise AssertionError("another dtype was compiled, or answered eagerly")


def main():
    with tempfile.TemporaryDirectory() as cache:
        return checks.hold([
            ("eager answers and refusals", check_eager),
            ("compiled answers and refusals, compile time is no latency", lambda: check_compiled(cache)),
            ("a broken compiler is one sentence", check_a_broken_compiler_is_one_sentence),
            ("an uncompiled answer is refused", check_an_uncompiled_answer_is_refused),
            ("compiling again is an error", lambda: check_compiling_again_is_an_error(cache)),
        ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
