# SPDX-License-Identifier: Apache-2.0
"""Holds which files ci/tidy.py looks at, with a stand-in for clang-tidy that finds the word Twice."""

import contextlib
import io
import json
import pathlib
import shutil
import stat
import sys
import tempfile
import unittest

CI = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CI))
import tidy as subject

STAND_IN = """#!/bin/sh
for last; do :; done
cd "$(dirname "$last")/../.." && ! grep -Hn Twice "$last" harness/core/a.h
"""
CLEAN = '#include "harness/core/a.h"\nint twice(int value) { return 2 * value; }\n'
BADLY_NAMED = '#include "harness/core/a.h"\nint Twice(int value) { return 2 * value; }\n'
SOURCES = ("harness/core/a.cpp", "harness/core/tests/a_test.cpp", "backends/torch/b.cpp")


class TidyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        shutil.copy(CI.parent / ".clang-tidy", self.root)
        for name in SOURCES:
            self.write(name, BADLY_NAMED)
        self.write("harness/core/a.h", "#pragma once\n")
        self.build = self.root / "build"
        self.build.mkdir()
        self.write("clang-tidy", STAND_IN)
        (self.root / "clang-tidy").chmod(stat.S_IRWXU)
        self.addCleanup(setattr, subject, "TIDY", subject.TIDY)
        subject.TIDY = str(self.root / "clang-tidy")
        command = f"c++ -std=c++20 -I{self.root} -c "
        (self.build / "compile_commands.json").write_text(json.dumps([
            {"directory": str(self.root), "command": command + name, "file": str(self.root / name)}
            for name in (*SOURCES, SOURCES[0])]))

    def write(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def look(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            return subject.look_at_all(self.root, self.build), out.getvalue()

    def test_a_finding_is_counted_and_printed_every_time(self):
        for _ in range(2):
            counts, text = self.look()
            self.assertEqual(counts, (1, 1, 1))
            self.assertIn("harness/core/a.cpp:2:int Twice", text)

    def test_a_clean_file_is_looked_at_again_only_when_its_answer_could_change(self):
        self.write(SOURCES[0], CLEAN)
        self.assertEqual(self.look()[0], (1, 1, 0))
        self.assertEqual(self.look()[0], (1, 0, 0))
        self.write("harness/core/a.h", "#pragma once\nint Twice(int value);\n")
        self.assertEqual(self.look()[0], (1, 1, 1))


if __name__ == "__main__":
    unittest.main()
