# SPDX-License-Identifier: Apache-2.0
"""The backend fa3 judged by the driver, with op libraries that compute on a CPU: an honest one, the
same with one convention wrong, and one that has switched off what the wheel fa3-fwd has.

Usage: fa3_conformance.py FATHOM TORCH_WORKER STUB
"""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FATHOM, WORKER, STUB = sys.argv[1:]

BASE = "dtype=bf16 d=64 dv=64 seed=1 "
PREFIX = BASE + "dir=fwd+bwd layout=thd hq=2 hkv=2 seqs=256p100 mask=prefix_lm fill=normal"
BATCH = BASE + "dir=fwd+bwd layout=thd hq=2 hkv=2 seqs=96p40,150p97,64p10 mask=prefix_lm fill=flat"
WINDOW = BASE + "dir=fwd layout=bshd hq=2 hkv=2 seqs=2*130 mask=window(16,0) fill=flat"
CAUSAL = BASE + "dir=fwd layout=bshd hq=2 hkv=2 seqs=2*40x72 mask=causal(bottom_right) fill=flat"
GROUPS = BASE + "dir=fwd layout=bshd hq=4 hkv=2 seqs=129 mask=full fill=normal"
DENSE = BASE + "dir=fwd layout=bshd hq=2 hkv=2 seqs=2*5 mask=full fill=normal probe=conventions"
PACKED = DENSE.replace("layout=bshd", "layout=thd")
NEEDLE = GROUPS + " probe=needle"

# What is planted in the op library, the case, and what the driver's sentences must say of it.
PLANTS = [
    ("window_off_by_one", WINDOW, r"O is right for the mask window\(15,0\)"),
    ("window_off_by_one", DENSE, r"asked for window\(2,0\) 7x7, head 0 answers as W keys "),
    ("causal_top_left", CAUSAL, r"O is right for the mask causal\(top_left\)"),
    ("causal_top_left", PACKED, r"asked for causal\(bottom_right\) 2x5, head 0 answers as top_left"),
    ("lse_base_2", WINDOW, r"LSE is in units of log 2"),
    ("lse_base_2", DENSE, r"\(log2\), not ln 5"),
    ("lse_layout", DENSE, r"the LSE lies as \(B,S,H\), not as \(B,H,S\)"),
    ("lse_layout", PACKED, r"the LSE lies as \(T,H\), not as \(H,T\)"),
    ("seqused_ignored", PREFIX, r"O is right for the mask full, in query rows 0-99 only"),
    ("seqused_ignored", DENSE, r"prefix_lm 7x7p3, head 0 answers as 1{7}/1{7}/1{7}/1111000/"),
    ("gqa_interleaved", GROUPS, r"O is right if query head h reads KV head h mod Hkv"),
    ("gqa_interleaved", NEEDLE, r"of sequence 0 kv head 1 instead of key \d+ of kv head 0"),
    ("second_pass_without_offset", PACKED,
     r"prefix_lm 7x7p3, head 0 answers as 1110000/1110000/1110000/1000000/1100000/1110000/1111000"),
    ("second_pass_without_offset", PREFIX,
     r"O is right if the causal diagonal starts anew behind the prefix"),
    ("dk_not_summed", PREFIX,
     r"dV is right without the queries of the prefix\. The same holds for dK"),
    ("last_row_unwritten", BATCH, r"o: \d+ elements are NaN"),
]

# What a build like fa3-fwd refuses, and its own words.
SWITCHED_OFF = [
    (BASE + "dir=fwd layout=bshd hq=2 hkv=2 seqs=2*130 mask=full fill=normal", None),
    (BASE + "dir=fwd layout=thd hq=2 hkv=2 seqs=130p30,7 mask=prefix_lm fill=normal", None),
    (BASE + "dir=fwd layout=bshd hq=2 hkv=2 seqs=9 mask=window(20,-1) fill=normal", None),
    (WINDOW, "This flash attention build does not support local attention."),
    (WINDOW.replace("bf16", "f16").replace("window(16,0)", "full"),
     "This flash attention build does not support FP16."),
    (PREFIX, "This flash attention build does not support backward."),
]

# Codes of refusals that no case of the suites may go beyond: none is a surprise.
KNOWN_REFUSALS = {"feature.dtype.f32", "feature.dtype.f64", "feature.mask.document", "feature.dlse",
                  "feature.mask.causal.top_left", "lowering", "library"}


def environment(plant, library=STUB):
    return dict(os.environ, FATHOM_DEVICE="cpu", FATHOM_FA3_LIBRARY=library, FATHOM_FA3_STUB=plant,
                OMP_WAIT_POLICY="passive")


def judge(*what, plant=""):
    """Exit code, and the records of the run."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [FATHOM, "run", "-q", "--no-measure", "--backend", "fa3", "--worker",
             f"torch={WORKER}", "--out", out, *what],
            env=environment(plant), capture_output=True, text=True, timeout=250)
        report = pathlib.Path(out) / "report.json"
        assert report.exists(), done.stderr
        return done.returncode, json.loads(report.read_text())["records"]


def sentences(record):
    said = [finding["message"] for finding in record["findings"]]
    return " | ".join(said + [(record["explanation"] or {}).get("sentence", "")])


def check_suite(name, least):
    """The honest library passes all that it is not refused for, in known words, or fails as foretold."""
    code, records = judge("--suite", name)
    counts = collections.Counter("expected_fail" if record["expected"] == "expected_fail"
                                 else record["verdict"] for record in records)
    wrong = [sentences(r) for r in records
             if r["verdict"] not in ("pass", "unsupported") and r["expected"] != "expected_fail"]
    assert code == 0 and not wrong, (code, counts, wrong)
    assert counts["pass"] >= least, counts
    codes = {r["reason_code"] for r in records if r["verdict"] == "unsupported"}
    assert codes <= KNOWN_REFUSALS, codes - KNOWN_REFUSALS
    return dict(counts)


def check_no_alarm():
    """Honest, the library passes every case that a plant is shown with."""
    cases = sorted({case for _, case, _ in PLANTS})
    code, records = judge(*[word for case in cases for word in ("--case", case)])
    verdicts = {record["verdict"] for record in records}
    assert code == 0 and verdicts == {"pass"} and len(records) == len(cases), (code, verdicts)
    return f"{len(cases)} cases"


def check_plant(plant, case, words):
    code, records = judge("--case", case, plant=plant)
    said = sentences(records[0])
    assert code == 1 and records[0]["verdict"] == "fail", (code, records[0]["verdict"])
    assert re.search(words, said), f"'{words}' is not in: {said}"
    return re.search(words, said).group()


def check_switched_off():
    """Refused in the library's own words; what is left is answered."""
    for case, words in SWITCHED_OFF:
        _, records = judge("--case", case, plant="fa3_fwd")
        record = records[0]
        if words is None:
            assert record["verdict"] == "pass", (case, record["verdict"], record["reason"])
        else:
            assert record["verdict"] == "unsupported", (case, record["verdict"])
            assert record["reason_code"] in ("library", "lowering"), record["reason_code"]
            assert words in record["reason"], record["reason"]
    return f"{len(SWITCHED_OFF)} cases"


def check_absence():
    """A library that is none is a sentence, and sdpa stays."""
    libc = next(line.split()[-1] for line in open("/proc/self/maps") if "/libc" in line)
    for library, plant, words in [("/no/such.so", "", "there is no file /no/such.so"),
                                  (__file__, "", "does not load"),
                                  (libc, "", "registers no flash_attn_3::fwd"),
                                  (STUB, "throws_on_load", "kills the process")]:
        done = subprocess.run([FATHOM, "doctor", "--worker", f"torch={WORKER}"],
                              env=environment(plant, library), capture_output=True, text=True,
                              timeout=100)
        lines = {line.split()[1]: line for line in done.stdout.splitlines()
                 if len(line.split()) > 1}
        assert words in lines["fa3"], lines["fa3"]
        assert lines["sdpa:math"].startswith("ok"), lines["sdpa:math"]
    return "4 libraries"


def main():
    checks = [("smoke", lambda: check_suite("smoke", 45)),
              ("hrm_text", lambda: check_suite("hrm_text", 20)),
              ("no alarm", check_no_alarm), ("switched off", check_switched_off),
              ("absence", check_absence)]
    checks += [(row[0], lambda row=row: check_plant(*row)) for row in PLANTS]
    failed = 0
    for name, check in checks:
        try:
            print(f"ok    {name}: {check()}", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAIL  {name}: {error}", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
