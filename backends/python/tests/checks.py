# SPDX-License-Identifier: Apache-2.0
"""What the tests of Python backends share: a run of some cases, and a list of checks to hold."""

import json
import os
import pathlib
import subprocess
import tempfile


def run(build, cases, *options, **variables):
    """`build`/fathom run on these cases, on the CPU: its exit code and its report."""
    with tempfile.TemporaryDirectory() as out:
        asked = [word for one in cases for word in ("--case", one)]
        environment = {**os.environ, "FATHOM_DEVICE": "cpu", "TORCHINDUCTOR_CACHE_DIR": out, **variables}
        done = subprocess.run([pathlib.Path(build).resolve() / "fathom", "run", "-q", "--out", out, *options, *asked],
                              capture_output=True, text=True, timeout=300, check=False, env=environment)  # fmt: skip
        report = pathlib.Path(out) / "report.json"
        assert report.exists(), done.stderr
        return done.returncode, json.loads(report.read_text())


def hold(checks):
    """Runs (name, function) pairs, says of each whether it held; the exit status of the test."""
    failed = 0
    for name, check in checks:
        try:
            check()
            print(f"ok    {name}")
        except AssertionError as error:
            failed += 1
            print(f"FAIL  {name}: {error}")
    return 1 if failed else 0
