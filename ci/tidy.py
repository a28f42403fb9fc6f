#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy 14 over our sources, once per compilation and content.

    ci/tidy.py BUILD_FOLDER

Left out, because they take longer than all the rest (the tidy preset has them): tests, benchmarks,
sources that include libtorch, the path-sensitive analyzer, and the slower half of the bugprone checks.
What was clean is not looked at again until a source of it, a header of ours that it reaches, its command
or .clang-tidy changes. In a unity build several sources are one compilation, which is quicker. Exit status
1 if anything was found.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

TIDY = "clang-tidy-14"
QUICK = ["argument-comment", "copy-constructor-init", "dangling-handle", "forwarding-reference-overload",
         "integer-division", "move-forwarding-reference", "sizeof-expression", "string-constructor",
         "undefined-memory-manipulation", "unused-return-value", "use-after-move"]
ARGUMENTS = ["--quiet", "--checks=-clang-analyzer-*,-bugprone-*," + ",".join("bugprone-" + name for name in QUICK)]
OURS = re.compile(r"(harness|backends|reference|cases|reports)/.*\.cpp")
LEFT_OUT = re.compile(r"/(tests|benchmarks)/|^backends/(hip/)?torch/")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
UNITY = re.compile(r"/Unity/unity_\d+_cxx\.cxx$")
NOISE = re.compile(r"^\d+ warnings? (generated|treated)|^Suppressed |^Use -header-filter")


def sources_of(root, file):
    """The sources that one compilation reads: the file, or what a unity build put together."""
    path = root / file
    if not UNITY.search(str(file)):
        return [str(file)]
    return [os.path.relpath(member, root) for member in INCLUDE.findall(path.read_text())]


def commands(root, build):
    """Our compilations, by what they read; the first one where a file is built several times."""
    found, seen = {}, set()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = os.path.relpath(entry["file"], root)
        sources = sources_of(root, file)
        ours = all(OURS.fullmatch(source) and not LEFT_OUT.search(source) for source in sources)
        if ours and not set(sources) <= seen:
            seen.update(sources)
            found[file] = entry
    return found


def reached(root, file, seen):
    """Adds `file` and every header of ours that it includes, directly or not."""
    path = root / file
    if file not in seen and path.is_file():
        seen.add(file)
        for header in INCLUDE.findall(path.read_text()):
            reached(root, header, seen)
    return seen


def key(root, file, entry):
    """A name that changes with whatever could change the answer."""
    seen = set()
    for source in sources_of(root, file):
        reached(root, source, seen)
    names = [".clang-tidy", *sorted(seen)]
    parts = [entry["command"].encode(), *map(str.encode, ARGUMENTS)]
    parts += [part for name in names for part in (name.encode(), (root / name).read_bytes())]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def look(path, database):
    """clang-tidy's exit status and what it has to say of one file."""
    result = subprocess.run([TIDY, *ARGUMENTS, "-p", database, path], capture_output=True, text=True)
    lines = (result.stdout + result.stderr).splitlines()
    return result.returncode, "\n".join(line for line in lines if not NOISE.match(line))


def look_at_all(root, build):
    """(number of files, of files looked at, of files with findings); prints the findings."""
    entries = commands(root, build)
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)
    (stamps / "compile_commands.json").write_text(json.dumps(list(entries.values())))
    keys = {file: key(root, file, entry) for file, entry in entries.items()}
    todo = [file for file in entries if not (stamps / keys[file]).exists()]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, (code, text) in zip(todo, pool.map(lambda file: look(root / file, stamps), todo)):
            if text.strip():
                print(text, flush=True)
            if code == 0:
                (stamps / keys[file]).touch()
            else:
                bad += 1
    return len(entries), len(todo), bad


def main():
    if len(sys.argv) != 2 or not (pathlib.Path(sys.argv[1]) / "compile_commands.json").is_file():
        sys.exit("usage: ci/tidy.py BUILD_FOLDER, one that was configured with compile_commands.json")
    root = pathlib.Path(__file__).resolve().parent.parent
    files, looked_at, bad = look_at_all(root, pathlib.Path(sys.argv[1]))
    print(f"{files} compilations, {looked_at} looked at, {bad} with findings.")
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main())
