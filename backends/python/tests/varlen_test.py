# SPDX-License-Identifier: Apache-2.0
"""The backend `varlen` on a CPU, over the op of stub_varlen.py: an honest op passes, each planted error is named.

Usage: varlen_test.py BUILD_FOLDER, by a Python that has torch
"""

import pathlib
import re
import sys

import checks

HERE = pathlib.Path(__file__).resolve().parent

CASE = ("dir={dir} dtype={dtype} layout={layout} hq={hq} hkv={hkv} d=64 dv=64 seqs={seqs} mask={mask}{more} "
        "fill={fill} seed=1")  # fmt: skip
DEFAULTS = {"dir": "fwd", "dtype": "bf16", "layout": "thd", "hq": 2, "hkv": 2, "seqs": "40x70,33x50", "mask": "full",
            "more": "", "fill": "flat"}  # fmt: skip


def case(probe="", **fields):
    return CASE.format(**{**DEFAULTS, **fields}) + (f" probe={probe}" if probe else "")


CONVENTIONS = case("conventions", seqs="5")
COUNT = case("key_count")
HONEST = [
    CONVENTIONS, COUNT,
    case(mask="causal(bottom_right)", seqs="17x40,40x17,1x128,64", dir="fwd+bwd"),
    case(mask="causal(bottom_right)&window(24,0)", dtype="f16", dir="fwd+bwd"),
    case(mask="window(16,-1)", layout="bshd", seqs="2*66", dir="fwd+bwd"),
    case(seqs="0,64,0x30,50x0,17", dir="fwd+bwd"),
    case(hq=4, hkv=1, mask="causal(bottom_right)", dir="fwd+bwd"),
    case(more=" scale=0.25 lse=required"),
]  # fmt: skip

# (plant, case, what the probe must say)
PLANTED = [
    ("window", CONVENTIONS, r"asked for window\(2,0\) 7x7, head 0 answers as W keys"),
    ("lse_layout", CONVENTIONS, r"the LSE lies as \(T,H\), not as \(H,T\)"),
    ("top_left", CONVENTIONS, r"asked for causal\(bottom_right\) 2x5, head 0 answers as top_left"),
    ("lengths", COUNT, r"counts 40 keys .* 70 are visible"),
]
OLD = [
    (case(mask="causal(bottom_right)", seqs="17x40,40x17,1x128,64"), "pass", ""),
    (case(mask="window(16,0)"), "unsupported", "no parameter 'window_size'"),
    (case(more=" scale=0.25"), "unsupported", "no parameter 'scale'"),
    (case(hq=4), "unsupported", "no parameter 'enable_gqa'"),
]


def stub(plant):
    return ["--backend", "stub", "--worker", f"stub={sys.executable} {HERE / 'stub_varlen.py'} {plant}"]


def run(backend, cases):
    return checks.run(sys.argv[1], cases, "--no-measure", *backend)


def verdicts(report):
    return [(record["verdict"], record["reason"]) for record in report["records"]]


def check_an_honest_op_passes():
    code, report = run(stub("honest"), HONEST)
    assert code == 0 and [verdict for verdict, _ in verdicts(report)] == ["pass"] * len(HONEST), verdicts(report)


def check_planted(plant, one, words):
    code, report = run(stub(plant), [one])
    said = [finding["message"] for record in report["records"] for finding in record["findings"]]
    assert code == 1 and any(re.search(words, message) for message in said), said


def check_an_old_signature_is_followed_or_refused():
    _, report = run(stub("torch_2_10"), [one for one, _, _ in OLD])
    for (one, verdict, words), got in zip(OLD, verdicts(report)):
        assert got[0] == verdict and words in got[1], (one, got)


def check_a_cpu_has_none():
    """Absent, in torch's words."""
    code, report = run(["--backend", "varlen"], [case()])
    absent = next(one["absent"] for one in report["backends"] if one["name"] == "varlen")
    assert code == 4 and "Could not run 'aten::_flash_attention_forward'" in absent, (code, absent)


def main():
    planted = [(f"planted {row[0]}", lambda row=row: check_planted(*row)) for row in PLANTED]
    return checks.hold(planted + [
        ("an honest op passes", check_an_honest_op_passes),
        ("a CPU has none", check_a_cpu_has_none),
        ("an old signature is followed or refused", check_an_old_signature_is_followed_or_refused),
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
