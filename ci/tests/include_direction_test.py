# SPDX-License-Identifier: Apache-2.0
"""Plants one violation of every rule of ci/include_direction.py in a tree of its own."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import include_direction as subject

# (the row that is broken, the file, its include, words of the sentence)
PLANTED = [
    ("harness/core", "harness/core/a.h", '"harness/codec/json.h"', "harness/core may not include"),
    ("harness/codec", "harness/codec/a.h", '"harness/inputs/fill.h"', "may not include harness/inputs"),
    ("harness/inputs", "harness/inputs/a.cpp", '"reference/oracle.h"', "may not include reference"),
    ("harness/checks", "harness/checks/a.h", '"harness/run/journal.h"', "may not include harness/run"),
    ("harness/checks", "harness/checks/a.h", '"reference/oracle.h"', "may not include reference"),
    ("harness/explain", "harness/explain/a.h", '"harness/run/journal.h"', "may not include harness/run"),
    ("harness/probes", "harness/probes/a.h", '"harness/run/journal.h"', "may not include harness/run"),
    ("harness/campaign", "harness/campaign/a.h", '"reference/oracle.h"', "may not include reference"),
    ("harness/peers", "harness/peers/a.h", '"harness/checks/check.h"', "may not include harness/checks"),
    ("harness/timing", "harness/timing/a.h", '"harness/worker/serve.h"', "may not include harness/worker"),
    ("harness/protocol", "harness/protocol/a.h", '"harness/worker/serve.h"', "sees harness/core, harness/codec, itself"),
    ("harness/worker", "harness/worker/a.cpp", '"harness/checks/check.h"', "may not include harness/checks"),
    ("harness/run", "harness/run/a.cpp", '"reference/oracle.h"', "may not include reference"),
    ("harness/run", "harness/run/a.cpp", '"harness/worker/serve.h"', "may not include harness/worker"),
    ("harness/run", "harness/run/a.cpp", '"harness/cli/commands.h"', "may not include harness/cli"),
    ("reference", "reference/a.cpp", '"harness/checks/check.h"', "may not include harness/checks"),
    ("reference", "reference/tests/a.cpp", '"backends/eigen/a.h"', "may not include backends/eigen"),
    ("cases", "cases/a.cpp", '"harness/run/plan.h"', "may not include harness/run"),
    ("reports", "reports/a.cpp", '"harness/run/journal.h"', "may not include harness/run"),
    ("backends/*", "backends/eigen/a.h", '"backends/torch/a.h"', "may not include backends/torch"),
    ("backends/*", "backends/eigen/tests/a.cpp", '"backends/torch/a.h"', "may not include backends/torch"),
    ("backends/fake", "backends/fake/a.cpp", '"reference/oracle.h"', "may not include reference"),
    ("backends/*", "backends/torch/a.cpp", '"harness/checks/check.h"', "may not include harness/checks"),
    ("backends/*", "backends/eigen/a.cpp", '"harness/codec/json.h"', "may not include harness/codec"),
    ("backends/*", "backends/hip/kernel/a.hip", '"harness/inputs/fill.h"', "may not include harness/inputs"),
    ("backends/*", "backends/torch/a.cpp", '"cases/suite.h"', "may not include cases"),
    ("backends/*", "backends/torch/a.cpp", '"reports/writers.h"', "may not include reports"),
    ("backends/*", "backends/torch/a.cpp", '"harness/run/plan.h"', "may not include harness/run"),
    ("harness/core/visible.h", "backends/eigen/a.cpp", '"harness/core/visible.h"', "blind"),
    ("harness/core/visible.h", "backends/eigen/tests/a.cpp", '"harness/core/visible.h"', "blind"),
    ("harness/core/visible.h", "backends/eigen/a.cpp", "<harness/core/visible.h>", "blind"),
    ("Eigen", "harness/checks/a.cpp", "<Eigen/Dense>", "Eigen may be included from"),
    ("nlohmann_json", "harness/core/a.h", "<nlohmann/json.hpp>", "nlohmann_json may be included from"),
    ("CLI11", "harness/run/a.cpp", "<CLI/CLI.hpp>", "CLI11 may be included from"),
    ("Google Benchmark", "reference/a.cpp", "<benchmark/benchmark.h>", "Google Benchmark may be"),
    ("Google Benchmark", "harness/timing/a.cpp", "<benchmark/benchmark.h>", "Google Benchmark may be"),
    ("libtorch", "harness/run/a.cpp", "<ATen/ATen.h>", "libtorch may be included from"),
    ("libtorch", "backends/eigen/a.cpp", '"torch/library.h"', "libtorch may be included from"),
    ("Random123", "reference/a.cpp", "<Random123/philox.h>", "Random123 may be included from"),
    ("GoogleTest", "harness/core/a.h", "<gtest/gtest.h>", "GoogleTest may be included from"),
    ("RapidCheck", "harness/core/a.cpp", "<rapidcheck.h>", "RapidCheck may be included from"),
    ("xxHash", "harness/core/a.cpp", "<xxhash.h>", "xxHash may be included from"),
    ("fmt", "harness/core/a.cpp", "<fmt/format.h>", "fmt may be included from"),
    ("fmt", "backends/torch/a.cpp", "<fmt/format.h>", "fmt may be included from"),
    ("pugixml", "cases/a.cpp", "<pugixml.hpp>", "pugixml may be included from"),
    ("valijson", "cases/a.cpp", "<valijson/schema.hpp>", "valijson may be included from"),
    ("Boost.Context", "harness/run/a.cpp", "<boost/context/fiber.hpp>", "Boost.Context may be"),
    ("CUDA", "backends/torch/a.cpp", "<cuda_runtime.h>", "CUDA may be included from"),
    ("HIP", "backends/hip/kernel/a.hip", "<hip/hip_runtime.h>", "HIP may be included from"),
    ("the C library", "backends/hip/call.cpp", "<string.h>", "the C library may be included from"),
    ("the operating system", "harness/core/a.cpp", "<sys/mman.h>", "the operating system may be"),
    ("the operating system", "harness/core/a.cpp", "<unistd.h>", "the operating system may be"),
    ("unknown header", "harness/run/a.cpp", "<zlib.h>", "no row of ci/include_direction.py knows this header"),
    ("unknown folder", "harness/extra/a.cpp", "<vector>", "no row of ci/include_direction.py knows this folder"),
    ("unrooted", "harness/run/a.cpp", '"journal.h"', "rooted at the repository"),
    ("unrooted", "harness/run/a.cpp", '"../core/mask.h"', "rooted at the repository"),
]

IN_PLACE = [
    ("harness/core/mask.cpp", '"harness/core/mask.h"'),
    ("harness/core/mask.cpp", "<algorithm>"),
    ("reference/forward.cpp", '"harness/core/visible.h"'),
    ("reference/forward.cpp", "<Eigen/Core>"),
    ("backends/eigen/worker.cpp", '"harness/worker/serve.h"'),
    ("backends/eigen/worker.cpp", '"backends/eigen/attention.h"'),
    ("backends/eigen/tests/attention_test.cpp", '"reference/oracle.h"'),
    ("backends/eigen/tests/attention_test.cpp", "<gtest/gtest.h>"),
    ("backends/torch/ops.cpp", "<ATen/core/dispatch/Dispatcher.h>"),
    ("harness/timing/google_benchmark_shell.cpp", "<benchmark/benchmark.h>"),
    ("reference/benchmarks/oracle.cpp", "<benchmark/benchmark.h>"),
    ("harness/cli/main.cpp", '"reports/writers.h"'),
    ("harness/run/worker_client.cpp", "<sys/socket.h>"),
    ("harness/run/cache.cpp", "<xxhash.h>"),
    ("harness/core/tests/mask_test.cpp", "<rapidcheck.h>"),
    ("harness/run/tests/run_test.cpp", '"reference/oracle.h"'),
]


def sentences_of(file, include):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / file).parent.mkdir(parents=True)
        (root / file).write_text(f"// planted\n#include {include}\n")
        return subject.violations(root)[1]


class IncludeDirectionTest(unittest.TestCase):
    def test_every_planted_violation_is_one_sentence_with_file_and_line(self):
        for _, file, include, words in PLANTED:
            with self.subTest(file=file, include=include):
                found = sentences_of(file, include)
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(f"{file}:2: #include {include}: "), found)
                self.assertIn(words, found[0])

    def test_what_the_picture_allows_is_not_reported(self):
        for file, include in IN_PLACE:
            with self.subTest(file=file, include=include):
                self.assertEqual(sentences_of(file, include), [])

    def test_every_row_but_the_one_that_sees_all_has_a_planted_violation(self):
        rows = {*subject.FOLDERS, *subject.CLOSED, *subject.THIRD_PARTY} - {"harness/cli"}
        self.assertLessEqual(rows, {row for row, *_ in PLANTED})

    def test_an_include_in_a_comment_is_not_read(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "harness/core").mkdir(parents=True)
            (root / "harness/core/a.h").write_text('// #include "reports/writers.h"\n')
            self.assertEqual(subject.violations(root), (0, []))


if __name__ == "__main__":
    unittest.main()
