# SPDX-License-Identifier: Apache-2.0
"""Kills the driver with SIGKILL at random instants and resumes, until the run is done.

Afterwards each planned case ended exactly once, no acknowledged end was lost, the report says what
an undisturbed run says (times apart), and no worker is left over.

Usage: kill_and_resume.py BUILD_FOLDER [KILLS] [SEED]
"""
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(sys.argv[1]).resolve()
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
RANDOM = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
FATHOM = BUILD / "fathom"
FAKE = BUILD / "tests" / "fathom-worker-fake"


def write_suite(folder):
    problem = {"dir": "fwd", "dtype": "f32", "layout": "bshd", "hq": [1, 2], "hkv": 1,
               "d": [8, 13, 16], "dv": 8, "seqs": ["3", "2*6x9"], "mask": "full"}
    suite = {"suite": "kill", "why": "many tiny cases",
             "cases": [{"why": "tiny", "problem": problem, "seed": list(range(5))}]}
    path = folder / "kill.json"
    path.write_text(json.dumps(suite))
    return path


def command(folder, suite, resume):
    if resume:
        return [FATHOM, "run", "-q", "--resume", folder]
    worker = f"fake={FAKE} exit0:execute"
    return [FATHOM, "run", "-q", "--suite", suite, "--backend", "fake", "--worker", worker,
            "--out", folder]


def ends(folder):
    found = []
    for line in (folder / "journal.jsonl").read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if entry.get("type") == "end":
            found.append(entry["record"]["planned"]["id"])
    return found


def workers_alive():
    count = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += str(FAKE).encode() in path.read_bytes().split(b"\0")[0]
        except OSError:
            pass
    return count


def verdicts(folder):
    report = json.loads((folder / "report.json").read_text())
    return [(r["planned"], r["verdict"], r["reason"], r["findings"]) for r in report["records"]]


def one_round(folder, suite, undisturbed, seconds):
    """Kills left to do come out of KILLS; returns how many were done."""
    kills = 0
    resume = False
    while True:
        process = subprocess.Popen([str(c) for c in command(folder, suite, resume)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            process.wait(timeout=RANDOM.uniform(0, seconds) if kills < 4 else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            before = ends(folder) if (folder / "journal.jsonl").exists() else []
            resume = (folder / "journal.jsonl").exists()
            assert len(before) == len(set(before)), "a case ended twice"
            acknowledged = set(before)
            continue
        assert process.returncode == 1, (process.returncode, process.stderr.read())
        break
    final = ends(folder)
    planned = [p[0]["id"] for p in undisturbed]
    assert sorted(final) == sorted(planned), "a planned case is missing or ended twice"
    if kills:
        assert acknowledged <= set(final), "an acknowledged end was lost"
    assert verdicts(folder) == undisturbed, "the report differs from an undisturbed run"
    return kills


def main():
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        suite = write_suite(scratch)
        start = time.monotonic()
        done = subprocess.run([str(c) for c in command(scratch / "whole", suite, False)],
                              capture_output=True, text=True)
        seconds = time.monotonic() - start
        assert done.returncode == 1, done.stderr
        undisturbed = verdicts(scratch / "whole")
        kills = rounds = 0
        while kills < KILLS:
            kills += one_round(scratch / f"round{rounds}", suite, undisturbed, seconds)
            rounds += 1
        time.sleep(0.2)
        assert workers_alive() == 0, "a worker outlived its driver"
    print(f"{kills} kills in {rounds} rounds of {len(undisturbed)} cases: each case ended exactly "
          "once, reports equal, no orphan")


if __name__ == "__main__":
    main()
