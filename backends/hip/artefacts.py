#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the kernels for GPUs that need not be here and reads what the compilers made of them.

    backends/hip/artefacts.py [--arch ARCH]... [--dim DIM]... [--root FOLDER]

ARCH is gfx90a, gfx942 (clang++-19; gfx90a also by clang++-15, the compiler of hipcc 5.2), sm_80 or
sm_90a (nvcc); all by default. Prints one row for each kernel and one sentence for each thing that is not as
README.md's budgets say. A compiler that is not here is a sentence too. Exit status: 0 all is well,
1 something is not, 77 no compiler at all.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = "backends/hip/kernel/device_kernels.hip"
DIMS = (64, 96, 128, 256)

# Budgets on AMD: inner tile, and waves that a SIMD unit must be able to hold; by kernel and head dim.
INNER = {"forward": {64: 64, 96: 64, 128: 64, 256: 32},
         "key_gradient": {64: 32, 96: 32, 128: 32, 256: 16},
         "query_gradient": {64: 32, 96: 32, 128: 32, 256: 32}}
WAVES = {"forward": {64: 2, 96: 2, 128: 2, 256: 1},
         "key_gradient": {64: 2, 96: 1, 128: 1, 256: 1},
         "query_gradient": {64: 2, 96: 2, 128: 2, 256: 1}}
PRODUCTS = {"forward": 2, "key_gradient": 4, "query_gradient": 3}
TILES = {"forward": 2, "key_gradient": 4, "query_gradient": 3}  # In shared memory, of inner x dim.

KERNEL = re.compile(r"fathom_(forward|key_gradient|query_gradient|row_data)_(bf16|f16)_d(\d+)$")


def shared_bytes(kernel, dim):
    """What the kernel's plan of shared memory says."""
    inner = INNER[kernel][dim]
    statistics = 8 * inner if kernel == "key_gradient" else 0
    return TILES[kernel] * inner * dim * 2 + statistics


# What is read from an AMD code object.

def notes(text):
    """The metadata of `llvm-readelf --notes`: {kernel: {key: number or word}}."""
    kernels = {}
    for block in re.split(r"^\s+- \.agpr_count:", text, flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^\s+\.(\w+):\s+(\S+)\s*$", ".agpr_count:" + block, re.MULTILINE))
        fields["agpr_count"] = block.split()[0]
        kernels[fields["name"]] = fields
    return kernels


def functions(text):
    """The instructions of `llvm-objdump -d`: {kernel: [line without comment]}."""
    found, lines = {}, None
    for line in text.splitlines():
        if match := re.match(r"^[0-9a-f]+ <(\w+)>:$", line):
            lines = found.setdefault(match[1], [])
        elif lines is not None and line.strip():
            lines.append(line.split("//")[0].strip())
    return found


def registers(operand):
    """{'v3', 'v4'} of v[3:4], with `a` for accumulation registers."""
    match = re.match(r"^([va])(?:\[(\d+):(\d+)\]|(\d+))$", operand)
    if not match:
        return set()
    first, last = (match[2], match[3]) if match[2] else (match[4], match[4])
    return {match[1] + str(i) for i in range(int(first), int(last) + 1)}


def split(line):
    name, _, rest = line.partition(" ")
    return name, [word.strip() for word in rest.split(",")] if rest else []


def operand_faults(lines):
    """Matrix instructions whose A operand was not read from shared memory, or whose B operand was:
    R goes in as A, L as B."""
    from_shared, faults = set(), 0
    for name, operands in map(split, lines):
        if name.startswith("v_mfma"):
            right, left = registers(operands[1]), registers(operands[2])
            faults += not right <= from_shared or bool(left & from_shared)
            from_shared -= registers(operands[0])
        elif name.startswith("ds_read"):
            from_shared |= registers(operands[0])
        elif operands:
            from_shared -= registers(operands[0])
    return faults


def unguarded_barriers(lines):
    """Barriers that an access to shared memory may still be under way at."""
    pending, faults = False, 0
    for line in lines:
        if line.startswith(("ds_write", "ds_read")):
            pending = True
        elif line.startswith("s_waitcnt") and "lgkmcnt(0)" in line:
            pending = False
        elif line.startswith("s_barrier"):
            faults += pending
    return faults


def amd_faults(kernel, dim, note, lines):
    """(sentences, cells of the table) of one kernel."""
    number = {key: int(note[key]) for key in (
        "vgpr_count", "agpr_count", "vgpr_spill_count", "sgpr_spill_count",
        "private_segment_fixed_size", "group_segment_fixed_size", "wavefront_size")}
    count = lambda *names: sum(line.startswith(names) for line in lines)
    faults = []
    check = lambda holds, sentence: holds or faults.append(sentence)
    for key in ("vgpr_spill_count", "sgpr_spill_count", "private_segment_fixed_size"):
        check(number[key] == 0, f"{key} is {number[key]}, not 0")
    check(not count("scratch_"), "it uses scratch memory")
    check(number["wavefront_size"] == 64, f"wavefront_size is {number['wavefront_size']}")
    check(not count("flat_"), "it uses flat addresses")
    check(not count("global_atomic_cmpswap"), "it has a compare-and-swap loop")
    if kernel != "row_data":
        waves = WAVES[kernel][dim]
        want = shared_bytes(kernel, dim)
        check(number["group_segment_fixed_size"] == want,
              f"shared memory is {number['group_segment_fixed_size']} bytes; the plan says {want}")
        check(number["vgpr_count"] <= 512 // waves // 8 * 8,
              f"{number['vgpr_count']} registers; {512 // waves // 8 * 8} leave room for {waves} waves")
        check(waves == 1 or number["agpr_count"] == 0, "it moves numbers to accumulation registers")
        want = PRODUCTS[kernel] * INNER[kernel][dim] * dim // 256
        check(count("v_mfma") == want, f"{count('v_mfma')} matrix instructions; the tile needs {want}")
        check(not operand_faults(lines),
              f"{operand_faults(lines)} matrix instructions have their operands the wrong way round")
        check(count("s_barrier") > 0, "it has no barrier")
    check(not unguarded_barriers(lines),
          f"{unguarded_barriers(lines)} barriers do not wait for shared memory")
    cells = [number["vgpr_count"], number["agpr_count"], number["group_segment_fixed_size"],
             number["private_segment_fixed_size"], count("v_mfma"), count("s_barrier")]
    return faults, cells


# What is read from nvcc.

def ptxas(text):
    """{kernel: {stack, stores, loads, registers}} of -Xptxas -v."""
    pattern = re.compile(r"Function properties for (\w+)\s+(\d+) bytes stack frame, (\d+) bytes spill stores, "
                         r"(\d+) bytes spill loads\s+ptxas info\s+: Used (\d+) registers")
    return {m[1]: dict(zip(("stack", "stores", "loads", "registers"), map(int, m.groups()[1:])))
            for m in pattern.finditer(text)}


def ptx_counts(text):
    """{kernel: (mma.sync, ldmatrix)}"""
    parts = re.split(r"^\.visible \.entry (\w+)\(", text, flags=re.MULTILINE)
    return {name: (body.count("mma.sync"), body.count("ldmatrix"))
            for name, body in zip(parts[1::2], parts[2::2])}


def nvidia_faults(kernel, numbers, mma, ldmatrix):
    faults = [f"{key} is {numbers[key]} bytes, not 0"
              for key in ("stack", "stores", "loads") if numbers[key]]
    if numbers["registers"] > 255:
        faults.append(f"{numbers['registers']} registers")
    if kernel != "row_data" and not (mma and ldmatrix):
        faults.append("it has no mma.sync or no ldmatrix")
    return faults, [numbers["registers"], "", "", numbers["stack"], mma, ldmatrix]


# Building.

def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(" ".join(map(str, command)) + "\n" + done.stdout + done.stderr)
    return done.stdout + done.stderr


def llvm(tool):
    return shutil.which(tool + "-19") or f"/usr/lib/llvm-19/bin/{tool}"


def build_amd(compiler, arch, dim, root, folder):
    elf = folder / f"{pathlib.Path(compiler).name}-{arch}-{dim}.elf"
    language = ["-x", "hip", f"--offload-arch={arch}", "--cuda-device-only", "--no-gpu-bundle-output", "-nogpuinc",
                "-nogpulib"]
    run([compiler, *language, "-O3", "-std=c++20", "-DFATHOM_HIP_AMD", f"-DFATHOM_HIP_DIM={dim}", "-I", root,
         "-c", root / SOURCE, "-o", elf])
    about = notes(run([llvm("llvm-readelf"), "--notes", elf]))
    text = functions(run([llvm("llvm-objdump"), "-d", elf]))
    rows = []
    for name in sorted(about):
        kernel, dtype, _ = KERNEL.match(name).groups()
        rows.append((f"{arch} {pathlib.Path(compiler).name}", kernel, dtype, dim,
                     *amd_faults(kernel, dim, about[name], text[name])))
    return rows


def build_nvidia(compiler, arch, dim, root, folder):
    kept = folder / f"{arch}-{dim}"
    kept.mkdir()
    said = run([compiler, "-std=c++20", "-O3", f"-arch={arch}", "-Xptxas", "-v", "-x", "cu", "-DFATHOM_HIP_NVIDIA",
                f"-DFATHOM_HIP_DIM={dim}", "-I", root, "-cubin", root / SOURCE, "-o", kept / "kernels.cubin",
                "--keep", "--keep-dir", kept])
    counts = {}
    for file in kept.glob("*.ptx"):
        counts.update(ptx_counts(file.read_text()))
    rows = []
    for name, numbers in sorted(ptxas(said).items()):
        kernel, dtype, _ = KERNEL.match(name).groups()
        rows.append((f"{arch} nvcc", kernel, dtype, dim,
                     *nvidia_faults(kernel, numbers, *counts.get(name, (0, 0)))))
    return rows


def compilers(arch):
    """[(compiler, how to build)] for an architecture, and sentences for those that are not here."""
    if arch.startswith("sm_"):
        found = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
        return ([(found, build_nvidia)], []) if found else ([], [f"{arch}: no nvcc here; not built."])
    wanted = ["clang++-19"] + (["clang++-15"] if arch == "gfx90a" else [])
    have_llvm = shutil.which(llvm("llvm-objdump"))
    found = [(shutil.which(c), build_amd) for c in wanted if shutil.which(c) and have_llvm]
    missing = [f"{arch}: no {c} here; not built by it." for c in wanted if not shutil.which(c)]
    if not have_llvm:
        missing.append(f"{arch}: no llvm-objdump of LLVM 19 here; not built.")
    return found, missing


def check_all(archs, dims, root=ROOT):
    """(rows, sentences on what is not here)"""
    jobs, absent = [], []
    for arch in archs:
        found, missing = compilers(arch)
        absent += missing
        jobs += [(how, compiler, arch, dim) for compiler, how in found for dim in dims]
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda job: job[0](*job[1:], root, pathlib.Path(folder)), jobs))
    return [row for rows in done for row in rows], absent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", action="append", choices=["gfx90a", "gfx942", "sm_80", "sm_90a"])
    parser.add_argument("--dim", action="append", type=int, choices=DIMS)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    arguments = parser.parse_args()
    rows, absent = check_all(arguments.arch or ["gfx90a", "gfx942", "sm_80", "sm_90a"],
                             arguments.dim or DIMS, arguments.root)
    print(f"{'built for':<18} {'kernel':<15} {'dtype':<5} {'d':>3} {'regs':>5} {'agprs':>5} {'shared':>6} "
          f"{'stack':>5} {'matrix':>6} {'sync':>4}")
    bad = 0
    for built, kernel, dtype, dim, faults, cells in rows:
        regs, agprs, shared, stack, matrix, sync = cells
        print(f"{built:<18} {kernel:<15} {dtype:<5} {dim:>3} {regs:>5} {agprs:>5} {shared:>6} {stack:>5} {matrix:>6} "
              f"{sync:>4}")
        for fault in faults:
            print(f"  RED: {fault}.")
        bad += bool(faults)
    print(*absent, sep="\n")
    print("matrix: v_mfma, or mma.sync before optimisation; sync: s_barrier, or ldmatrix.")
    print(f"{len(rows)} kernels read, {bad} outside their budget.")
    return 1 if bad else 77 if not rows else 0


if __name__ == "__main__":
    sys.exit(main())
