# SPDX-License-Identifier: Apache-2.0
"""ci/worker_conformance.py sees each fault of the fake worker, and none in the honest one.

Usage: worker_conformance_test.py BUILD_FOLDER
"""
import pathlib
import re
import subprocess
import sys

BUILD = pathlib.Path(sys.argv[1]).resolve()
TOOL = pathlib.Path(__file__).resolve().parents[1] / "worker_conformance.py"

# fault of the fake, words of what the tool says
FAULTS = [
    ("segv", ".*closed its channel"),
    ("exit3", ".*closed its channel"),
    ("exit0:prepare", ".*closed its channel"),
    ("late", ".*no answer within"),
    ("huge_frame", ".*at most 1 MiB"),
    ("not_json", ".*"),
    ("cut_frame", ".*no answer within"),
    ("wrong_seq", ".*seq"),
    ("wrong_type", ".*type"),
    ("wrong_bytes", ".*bytes"),
    ("unknown_output", ".*set of outputs"),
    ("negative_time", ".*samples"),
    ("memory_text", ".*peak_bytes"),
    ("unwritten", ".*unwritten"),
    ("guard_before", ".*guard"),
    ("guard_behind", ".*guard"),
    ("mutate_input", ".*input"),
    ("raise", ".*planted"),
]


def said(*script):
    # The fake misbehaves in Problems of head dim 13 only.
    command = [sys.executable, TOOL, "--head-dim", "13", "--patience", "2", BUILD / "tests" / "fathom-worker-fake", *script]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)


def main():
    honest = said()
    bad = [] if honest.returncode == 0 else ["the honest fake: " + honest.stdout]
    for fault, words in FAULTS:
        done = said(fault)
        if done.returncode == 0 or not re.search("NO " + words, done.stdout):
            bad.append(f"{fault}: {done.stdout}{done.stderr[-300:]}")
    print("\n".join(bad) or f"{len(FAULTS)} faults seen")
    return 1 if bad else 0


sys.exit(main())
