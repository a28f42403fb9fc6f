#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads every #include of the tree and holds the picture of who may include whom.

    ci/include_direction.py [ROOT]

One sentence per violation, with file and line; exit status 1 if there is any. The picture is the
three tables below. A folder or header that no table knows is a violation too, so a new one gets its
row, and the row gets read by whoever reviews it.
"""

import pathlib
import re
import sys
from fnmatch import fnmatch

# Which of our folders the sources of a folder may include. Every folder sees itself and harness/core.
# The first row that fits counts.
FOLDERS = {
    "harness/core": [],
    "harness/codec": [],
    "harness/inputs": [],
    "harness/checks": [],
    "harness/explain": ["harness/checks"],
    "harness/peers": [],
    "harness/probes": ["harness/inputs", "harness/checks"],
    "harness/timing": [],
    "harness/protocol": ["harness/codec"],
    "harness/worker": ["harness/codec", "harness/protocol"],
    "harness/run": ["harness/codec", "harness/inputs", "harness/protocol", "harness/checks",
                    "harness/explain", "harness/peers", "harness/probes", "harness/timing", "cases"],
    "harness/campaign": ["harness/codec", "harness/run", "harness/peers", "cases"],
    "harness/cli": ["*"],
    "reference": [],
    "cases": ["harness/codec"],
    "reports": ["harness/codec"],
    "backends/fake": ["harness/codec", "harness/protocol", "harness/worker"],  # writes frames by hand
    "backends/*": ["harness/protocol", "harness/worker"],
}

# What tests and benchmarks see on top of their folder's row: all that is not a backend.
BESIDE = ("tests", "benchmarks")

# Our headers that are closed to some folders, whatever the table above says.
CLOSED = {
    "harness/core/visible.h": (
        ["backends/*"], "a judge that shares its mask predicate with the judged is blind"),
}

# Third-party headers and the one place that includes each. `!` takes places away.
THIRD_PARTY = {
    "Eigen": ("Eigen/* unsupported/Eigen/*", "reference/* backends/eigen/* backends/mutant/*"),
    "nlohmann_json": ("nlohmann/*",
                      "harness/codec/* harness/protocol/* harness/run/* cases/* reports/*"),
    "CLI11": ("CLI/*", "harness/cli/*"),
    "Google Benchmark": ("benchmark/*", "*/benchmarks/* harness/timing/google_benchmark_*"),
    "libtorch": ("torch/* ATen/* c10/* caffe2/*", "backends/torch/* backends/hip/torch/*"),
    "Random123": ("Random123/*", "harness/inputs/*"),
    "GoogleTest": ("gtest/* gmock/*", "*/tests/*"),
    "RapidCheck": ("rapidcheck.h rapidcheck/*", "*/tests/*"),
    "xxHash": ("xxhash.h", "* !harness/core/*"),
    "fmt": ("fmt/*", "* !harness/core/* !backends/*"),
    "pugixml": ("pugixml.hpp", "reports/* */tests/*"),
    "valijson": ("valijson/*", "reports/* */tests/*"),
    "Boost.Context": ("boost/context/*", "backends/hip/platform/*"),
    "CUDA": ("cuda*.h nv*.h", "backends/hip/platform/*"),
    "HIP": ("hip/*", "backends/hip/platform/*"),
    "the C library": ("math.h std*.h string.h", "backends/hip/fathom_hip.h backends/hip/tests/c_test.c"),
    "the operating system": (
        "sys/* linux/* dirent.h dlfcn.h fcntl.h malloc.h poll.h pthread.h sched.h spawn.h syscall.h termios.h "
        "time.h unistd.h cpuid.h immintrin.h", "* !harness/core/*"),
}

SUFFIXES = {".h", ".hpp", ".hh", ".inc", ".cpp", ".cc", ".c", ".cu", ".cuh", ".hip"}
TOP = ("harness", "backends", "reference", "cases", "reports", "ci")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
STANDARD = re.compile(r"[a-z_0-9]+")  # <vector>, <cstdint>: no dot, no slash


def fits(path, patterns):
    """Whether a path lies in one of the patterns and in none that `!` takes away."""
    patterns = patterns.split()
    taken = [p[1:] for p in patterns if p.startswith("!")]
    given = [p for p in patterns if not p.startswith("!")]
    return any(fnmatch(path, p) for p in given) and not any(fnmatch(path, p) for p in taken)


def folder_of(path):
    """The library folder that a path lies in: the first one or two parts that a row names."""
    parts = path.split("/")
    for depth in (2, 1):
        folder = "/".join(parts[:depth])
        if len(parts) > depth and any(fnmatch(folder, row) for row in FOLDERS):
            return folder
    return None


def row_of(folder):
    return next(row for row in FOLDERS if fnmatch(folder, row))


def why_not_ours(source, header):
    """Why `source` may not include our own `header`; None if it may."""
    for closed, (patterns, reason) in CLOSED.items():
        if header == closed and any(fnmatch(source, p) for p in patterns):
            return f"{header} is closed to {row_of(folder_of(source))}: {reason}"
    folder, target = folder_of(source), folder_of(header)
    if target in (folder, "harness/core"):
        return None
    allowed = FOLDERS[row_of(folder)]
    if "*" in allowed or target in allowed:
        return None
    beside = any(part in BESIDE for part in source.split("/")[:-1])
    if beside and not target.startswith("backends/"):
        return None
    sees = ", ".join(["harness/core", *allowed, "itself"])
    return f"{folder} may not include {target} (it sees {sees})"


def why_not_foreign(source, header):
    """Why `source` may not include a header that is not ours; None if it may."""
    if STANDARD.fullmatch(header):
        return None
    for package, (headers, places) in THIRD_PARTY.items():
        if fits(header, headers):
            return None if fits(source, places) else f"{package} may be included from {places} only"
    return "no row of ci/include_direction.py knows this header"


def why_not(source, quoted, angled):
    if folder_of(source) is None:
        return "no row of ci/include_direction.py knows this folder"
    header = quoted or angled
    if folder_of(header):
        return why_not_ours(source, header)
    if quoted and not any(fits(header, headers) for headers, _ in THIRD_PARTY.values()):
        return "a quoted include is rooted at the repository, and no folder begins like this"
    return why_not_foreign(source, header)


def violations(root):
    """(number of includes read, sentences)"""
    count, sentences = 0, []
    files = [f for top in TOP for f in (root / top).rglob("*") if f.suffix in SUFFIXES]
    for file in sorted(files):
        source = file.relative_to(root).as_posix()
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
            if match := INCLUDE.match(line):
                count += 1
                if reason := why_not(source, *match.groups()):
                    sentences.append(f"{source}:{number}: {line.strip()}: {reason}.")
    return count, sentences


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    count, sentences = violations(root)
    if count == 0:
        sentences.append(f"{root}: no include found below {', '.join(TOP)}: nothing was checked.")
    print(*sentences, f"{count} includes read, {len(sentences)} out of place.", sep="\n")
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main())
