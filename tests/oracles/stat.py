#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What apr-stat says of tensors is what numpy says in float64."""

import json
import os
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(os.environ.get("APR_FIXTURES") or ROOT.parent / "shared" / "fixtures")
checks = 0


def near(what, got, want, scale):
    global checks
    checks += 1
    assert abs(got - want) <= 1e-12 * scale, f"{what}: {got}, numpy says {want}"


def compare(path):
    said = json.loads(subprocess.run(["apr-stat", "--json", "--hist", "*", path], check=True,
                                     capture_output=True).stdout)
    said = {t["name"]: t for t in said["tensors"]}
    tensors = gguf.GGUFReader(path).tensors
    assert {t.name for t in tensors} == said.keys(), path
    for t in tensors:
        x = gguf.quants.dequantize(np.asarray(t.data), t.tensor_type).astype(np.float64)
        x = x.reshape([int(n) for n in reversed(t.shape)])
        s, what = said[t.name], f"{path.name}: {t.name}"
        most = np.abs(x).max()
        near(f"{what}: mean", s["mean"], x.mean(), most)
        near(f"{what}: std", s["std"], x.std(), most)
        near(f"{what}: l2", s["l2"], np.sqrt((x * x).sum()), np.sqrt((x * x).sum()))
        near(f"{what}: row_mean", s["row_mean"], np.abs(x.mean(axis=-1)).mean() / most, 1)
        for key, want in (("min", x.min()), ("max", x.max()), ("zeros", (x == 0).sum()), ("n", x.size)):
            near(f"{what}: {key}", s[key], want, 0)
        near(f"{what}: first", np.abs(np.array(s["first"]) - x.ravel()[:8]).max(), 0, most * 1e4)
        edges = np.array(s["edges"], "f4").astype(np.float64)
        if most > 0 and x.min() < x.max():
            # A value on an edge below zero belongs to the bin under it.
            count = [((x > a) & (x <= b) if b <= 0 else (x >= a) & (x < b) if a >= 0 else (x > a) & (x < b)).sum()
                     for a, b in zip(edges, edges[1:])]
            count[0] += (x == edges[0]).sum() if edges[0] < 0 else 0
            count[-1] += (x == edges[-1]).sum() if edges[-1] > 0 else 0
            for k, (a, b) in enumerate(zip(s["counts"], count)):
                near(f"{what}: bin {k} of {edges[k]} to {edges[k + 1]}", a, b, 0)


def main():
    files = sorted((FIXTURES / "gguf").glob("*.gguf")) if FIXTURES.is_dir() else []
    assert files or not os.environ.get("APR_ENFORCE"), f"no fixtures in {FIXTURES}"
    for path in files:
        kinds = path.name.split(".")
        if "imatrix" in path.name or any(k in kinds for k in ("q1_0", "q2_0")):
            continue
        compare(path)
    print(f"stat.py: {checks} checks in {len(files)} files")


if __name__ == "__main__":
    main()
