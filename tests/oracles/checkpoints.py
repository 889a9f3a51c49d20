#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checkpoints and arrays that PyTorch and NumPy write now, read by apr-cat:
the numbers must be those that safetensors' reader finds in their copies.

Needs torch (scripts/oracles --torch; without it nothing is compared), and,
for a whole model in shards, the fixtures (see read_outputs.py).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import torch
except ImportError:
    print("checkpoints: no torch: nothing to compare")
    sys.exit(0)
from safetensors import safe_open
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(os.environ.get("APR_FIXTURES") or ROOT.parent / "shared" / "fixtures")
checks = 0


def packed(source, out, *options):
    cat = subprocess.Popen(["apr-cat", *options, str(source)], stdout=subprocess.PIPE)
    pack = subprocess.run(["apr-pack", "-qf", str(out)], stdin=cat.stdout)
    cat.stdout.close()
    if cat.wait() or pack.returncode:
        sys.exit(f"checkpoints: {source}: apr-cat {cat.returncode}, apr-pack {pack.returncode}")


def same(got, want, what):
    global checks
    a, b = safe_open(str(got), "pt"), safe_open(str(want), "pt")
    if sorted(a.keys()) != sorted(b.keys()):
        sys.exit(f"checkpoints: {what}: other names")
    for k in a.keys():
        x, y = a.get_tensor(k), b.get_tensor(k)
        checks += 1
        if x.dtype != y.dtype or x.shape != y.shape or \
                x.reshape(-1).view(torch.uint8).tolist() != y.reshape(-1).view(torch.uint8).tolist():
            sys.exit(f"checkpoints: {what}: {k} differs")


def made(tmp):
    subprocess.run([sys.executable, "-W", "ignore", ROOT / "tests/data/other/make.py"], cwd=tmp,
                   check=True)
    for ref, files in (("torch", ["views.pt", "protocol4.pt", "training.pth"]),
                       ("module", ["module.bin"]), ("numpy", ["plain.npz", "packed.npz"])):
        for f in files:
            packed(tmp / f, tmp / "out.safetensors")
            same(tmp / "out.safetensors", tmp / f"{ref}.safetensors", f)


def sharded(tmp, name):
    hf = FIXTURES / "hf" / name
    d = tmp / name
    d.mkdir()
    shutil.copy(hf / "config.json", d)
    shards, where = sorted(hf.glob("*.safetensors")), {}
    for i, f in enumerate(shards):
        file = f"pytorch_model-{i + 1:05}-of-{len(shards):05}.bin" if len(shards) > 1 else \
            "pytorch_model.bin"
        part = load_file(str(f))
        torch.save(part, d / file)
        where.update({k: file for k in part})
    if len(shards) > 1:
        (d / "pytorch_model.bin.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": where}))
    packed(d, tmp / f"{name}.safetensors")
    packed(hf, tmp / f"{name}.want.safetensors")
    same(tmp / f"{name}.safetensors", tmp / f"{name}.want.safetensors", name)
    # The same GGUF: with what travels, the tensors are all that could differ.
    for f in hf.iterdir():
        if not f.name.startswith("model"):
            shutil.copy(f, d)
    packed(d, tmp / "a.gguf", "--as", "gguf")
    packed(hf, tmp / "b.gguf", "--as", "gguf")
    if (tmp / "a.gguf").read_bytes() != (tmp / "b.gguf").read_bytes():
        sys.exit(f"checkpoints: {name}: its GGUF differs")


def main():
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        made(tmp)
        if (FIXTURES / "hf").is_dir():
            for name in ("llama3", "gpt2", "qwen3-5"):
                sharded(tmp, name)
        elif os.environ.get("APR_ENFORCE", "0") == "1":
            sys.exit("checkpoints: no fixtures")
    print(f"checkpoints: {checks} tensors")


main()
