#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far honest kernels are from the limits: runs the calibration suite and writes the distributions.

    ci/calibration.py build/release [--page reference/CALIBRATION.md]

One table per tensor: backend x dtype x fill, with the rms of z over the tensor (tensor-rho), the worst row (row-rho),
the largest |z|, bias z, gain and the share of T_L, each the largest over the cases (tensor-rho: smallest to largest).
Every number is in units of the standard deviation that the oracle derives from the declared arithmetic.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
TENSORS = ["o", "dq", "dk", "dv"]
DTYPES = ["bf16", "f16", "f32"]


def run(build, folder):
    command = [build / "fathom", "run", "--suite", "calibration", "--no-measure", "--quiet", "--out", folder,
               "--worker", f"mutant={build / 'campaign/fathom-worker-mutant'}",
               "--backend", "mutant:honest", "--backend", "eigen"]
    support = subprocess.run([build / "fathom", "support", "--json"], capture_output=True, text=True, check=True).stdout
    present = [backend["name"] for backend in map(json.loads, support.splitlines()) if not backend["absent"]]
    command += [word for name in present if name.startswith("sdpa:") for word in ("--backend", name)]
    subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL)
    return json.loads((folder / "report.json").read_text())


def collect(report):
    """(tensor, backend, dtype, fill) -> lists of the statistics."""
    table = collections.defaultdict(lambda: collections.defaultdict(list))
    for record in report["records"]:
        if not record["tensors"]:
            continue
        case = record["planned"]["case"]
        backend = record["planned"]["backend"]
        for tensor in record["tensors"]:
            key = tensor["tensor"], backend, case["problem"]["dtype"], case["fill"]
            row = table[key]
            for name in ("tensor_rho", "z_max", "bias_z"):
                if tensor[name] is not None:
                    row[name].append(tensor[name])
            if tensor["row_rho"]:
                row["row_rho"].append(tensor["row_rho"]["max"])
                row["row_p99"].append(tensor["row_rho"]["p99"])
            if tensor["gain"] is not None:
                row["gain"].append(abs(tensor["gain"]))
            if tensor["lse"]:
                row["lse"].append(tensor["lse"]["share"])
            row["cases"].append(1)
    return table


def number(value):
    return f"{value:.2g}" if abs(value) < 0.01 else f"{value:.2f}"


def most(values):
    finite = [v for v in values if isinstance(v, (int, float))]
    return number(max(finite)) if finite else "–"


def span(values):
    finite = [v for v in values if isinstance(v, (int, float))]
    return f"{number(min(finite))} – {number(max(finite))}" if finite else "–"


def tables(table, fills, backends):
    for tensor in TENSORS:
        yield f"\n## {tensor}\n\n| backend | dtype | fill | tensor-ρ | row-ρ p99 | row-ρ | max \\|z\\| | bias z | gain |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for backend in backends:
            for dtype in DTYPES:
                for fill in fills:
                    row = table.get((tensor, backend, dtype, fill))
                    if row:
                        yield (f"| {backend} | {dtype} | {fill} | {span(row['tensor_rho'])} | {most(row['row_p99'])} | "
                               f"{most(row['row_rho'])} | {most(row['z_max'])} | {most(row['bias_z'])} | {most(row['gain'])} |")
    yield "\n## LSE\n\nLargest error as a share of T_L.\n"
    yield "| backend | dtype | " + " | ".join(fills) + " |"
    yield "|---|---|" + "---|" * len(fills)
    for backend in backends:
        for dtype in DTYPES:
            cells = [most(table.get(("lse", backend, dtype, fill), {}).get("lse", [])) for fill in fills]
            if any(cell != "–" for cell in cells):
                yield f"| {backend} | {dtype} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "reference/CALIBRATION.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(options.build.resolve(), pathlib.Path(folder))
    table = collect(report)
    fills = list(dict.fromkeys(r["planned"]["case"]["fill"] for r in report["records"]))
    backends = list(dict.fromkeys(r["planned"]["backend"] for r in report["records"]))
    devices = sorted({f"{r['planned']['backend']} {r['version']} on {r['device']}" for r in report["records"] if r["version"]})
    lines = ["# Calibration", "",
             "Written by `ci/calibration.py`; do not edit. " + " ".join(__doc__.split("\n\n")[-1].split()), "",
             f"{len(report['records'])} cases of the suite `calibration`. " + report["summary"]["headline"], "",
             "Backends: " + "; ".join(devices) + "."]
    options.page.write_text("\n".join(lines + list(tables(table, fills, backends))) + "\n")
    print(f"{options.page}: {len(report['records'])} cases. {report['summary']['headline']}")


if __name__ == "__main__":
    main()
