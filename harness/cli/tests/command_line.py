# SPDX-License-Identifier: Apache-2.0
"""What the driver says to a person who errs: exit code, one clear sentence, nothing half-written.

Usage: command_line.py BUILD_FOLDER
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(sys.argv[1]).resolve()
FATHOM = BUILD / "fathom"
FAKE = BUILD / "tests" / "fathom-worker-fake"
CASE = "dir=fwd dtype=f32 layout=bshd hq=1 hkv=1 d={} dv=8 seqs=6 mask=full fill=normal seed=1"


def run(*args, cwd=None):
    return subprocess.run([str(FATHOM), *args], capture_output=True, text=True, timeout=60, cwd=cwd)


def suite(folder, problem, **extra):
    body = {"suite": "t", "why": "test", "cases": [
        {"why": "test", "problem": {"dir": "fwd", "dtype": "f32", "layout": "bshd", "hq": 1,
                                    "hkv": 1, "d": 16, "dv": 8, "seqs": "6", "mask": "full",
                                    **problem}, **extra}]}
    path = pathlib.Path(folder) / "t.json"
    path.write_text(json.dumps(body))
    return str(path)


def broken(folder, text):
    path = pathlib.Path(folder) / "t.json"
    path.write_text(text)
    return str(path)


# (what, exit code, words that the sentence must hold, arguments made in a scratch folder)
BAD = [
    ("no command", 64, r"[Ss]ubcommand", lambda d: []),
    ("unknown command", 64, r"did you mean 'report'", lambda d: ["raport"]),
    ("unknown option", 64, r"--bogus", lambda d: ["run", "--bogus"]),
    ("unknown suite", 64, r"did you mean 'smoke'", lambda d: ["run", "--suite", "smokee"]),
    ("missing suite file", 64, r"nowhere\.json", lambda d: ["run", "--suite", "nowhere.json"]),
    ("unknown backend", 64, r"did you mean 'eigen'", lambda d: ["run", "--backend", "eigne"]),
    ("worker without a name", 64, r"name=command", lambda d: ["run", "--worker", "xyz"]),
    ("missing worker binary", 64, r"/no/such", lambda d: ["run", "--worker", "x=/no/such"]),
    ("bad filter", 64, r"filter.*dtyp.*did you mean 'dtype'",
     lambda d: ["run", "--filter", "dtyp<3"]),
    ("filter without end", 64, r"parenthesis", lambda d: ["run", "--filter", "(dtype:f32"]),
    ("filter that matches nothing", 64, r"no case matches",
     lambda d: ["run", "--filter", "d=12345"]),
    ("bad case text", 64, r"hkv=2 does not divide hq=3",
     lambda d: ["run", "--case", CASE.format(16).replace("hq=1 hkv=1", "hq=3 hkv=2")]),
    ("unknown key in a suite", 65, r"t\.json.*dtpye.*did you mean 'dtype'",
     lambda d: ["run", "--suite", suite(d, {"dtpye": "f32"})]),
    ("unknown key beside the problem", 65, r"t\.json.*fil.*did you mean 'fill'",
     lambda d: ["run", "--suite", suite(d, {}, fil="flat")]),
    ("impossible shape", 65, r"t\.json.*hkv=2 does not divide hq=3",
     lambda d: ["run", "--suite", suite(d, {"hq": 3, "hkv": 2})]),
    ("overflowing shape", 65, r"t\.json.*(address|elements|2\^)",
     lambda d: ["run", "--suite", suite(d, {"seqs": "9223372036854775807"})]),
    ("wrong type", 65, r"t\.json.*hq", lambda d: ["run", "--suite", suite(d, {"hq": "four"})]),
    ("unknown mask", 65, r"t\.json.*did you mean 'causal'",
     lambda d: ["run", "--suite", suite(d, {"mask": "casual"})]),
    ("suite that is no JSON", 65, r"t\.json:1:\d+|t\.json.*line 1",
     lambda d: ["run", "--suite", broken(d, "{,}")]),
    ("duplicate key", 65, r"t\.json.*suite",
     lambda d: ["run", "--suite", broken(d, '{"suite": "a", "suite": "b"}')]),
    ("deep nesting", 65, r"t\.json.*(deep|depth|nest)",
     lambda d: ["run", "--suite", broken(d, "[" * 100000)]),
    ("no journal", 65, r"no journal", lambda d: ["report", d]),
    ("resume without a journal", 65, r"no journal", lambda d: ["run", "--resume", d]),
    ("corrupt journal", 65, r"journal\.jsonl:1", lambda d: corrupt_journal(d)),
    ("show of nothing", 64, r"matches 'zzzz'", lambda d: show_nothing(d)),
]


def good_run(folder, *more):
    return run("run", "-q", "--no-measure", "--backend", "fake", "--worker", f"fake={FAKE}",
               "--case", CASE.format(16), "--out", folder, *more)


def corrupt_journal(folder):
    assert good_run(folder).returncode == 0
    path = pathlib.Path(folder) / "journal.jsonl"
    text = bytearray(path.read_bytes())
    text[40] ^= 1
    path.write_bytes(text)
    return ["report", folder]


def show_nothing(folder):
    assert good_run(folder).returncode == 0
    return ["show", "zzzz", "--in", folder]


def check_bad(what, code, words, arguments):
    with tempfile.TemporaryDirectory() as folder:
        args = arguments(folder)
        before = {p.name: p.read_bytes() for p in pathlib.Path(folder).iterdir()}
        with tempfile.TemporaryDirectory() as cwd:
            done = run(*args, cwd=cwd)
            left = list(pathlib.Path(cwd).iterdir())
        after = {p.name: p.read_bytes() for p in pathlib.Path(folder).iterdir()}
    said = done.stderr.strip()
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {said}"
    assert re.search(words, said), f"'{words}' is not in: {said}"
    assert len(said.splitlines()) <= 3, f"more than one sentence: {said}"
    assert done.stdout == "", f"printed: {done.stdout}"
    assert not left and before == after, f"left files behind: {left}"


def check_exit_codes():
    """pass 0, failure 1, absent backend 4; each run leaves every report."""
    expected = [("", 16, 0), ("zeros", 13, 1), ("segv:execute", 13, 1), ("segv:hello", 16, 4)]
    for script, head_dim, code in expected:
        with tempfile.TemporaryDirectory() as folder:
            done = run("run", "-q", "--backend", "fake", "--worker", f"fake={FAKE} {script}",
                       "--case", CASE.format(head_dim), "--out", folder)
            assert done.returncode == code, (script, done.returncode, done.stderr)
            names = {p.name for p in pathlib.Path(folder).iterdir()}
            due = {"journal.jsonl", "report.json", "report.html", "junit.xml", "summary.md"}
            assert due <= names, names
            report = json.loads((pathlib.Path(folder) / "report.json").read_text())
            assert report["summary"]["exit_code"] == code


def check_reports_are_functions_of_the_journal():
    with tempfile.TemporaryDirectory() as folder:
        assert good_run(folder).returncode == 0
        path = pathlib.Path(folder) / "report.json"
        first = path.read_bytes()
        path.unlink()
        assert run("report", folder).returncode == 0
        assert path.read_bytes() == first


def check_peers_of_a_run_that_did_not_ask_them():
    """One sentence that says what to do."""
    with tempfile.TemporaryDirectory() as folder:
        assert good_run(folder).returncode == 0
        asked = run("show", "dtype:f32", "--in", folder, "--peers")
        assert asked.returncode == 0 and "run the case with --peers" in asked.stdout, asked.stdout
        assert "Peer rules" not in run("show", "dtype:f32", "--in", folder).stdout


def check_quiet_pipe():
    """No carriage return and no colour where nobody watches."""
    with tempfile.TemporaryDirectory() as folder:
        done = run("run", "--backend", "fake", "--worker", f"fake={FAKE} zeros", "--case",
                   CASE.format(13), "--out", folder)
        assert "\r" not in done.stderr and "\x1b" not in done.stderr + done.stdout
        assert "fail(accuracy)" in done.stderr, done.stderr


def main():
    failed = 0
    checks = [(row[0], lambda row=row: check_bad(*row)) for row in BAD]
    checks += [(f.__name__, f) for f in (check_exit_codes,
                                         check_reports_are_functions_of_the_journal,
                                         check_peers_of_a_run_that_did_not_ask_them,
                                         check_quiet_pipe)]
    for name, check in checks:
        try:
            check()
            print(f"ok    {name}")
        except AssertionError as error:
            failed += 1
            print(f"FAIL  {name}: {error}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
