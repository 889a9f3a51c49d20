#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other people's readers read the parts that apr-split writes: the packages
gguf and safetensors each one, and together the whole; transformers a directory
of them, and llama.cpp's library all of them from the first, where these two are
installed (scripts/oracles --torch)."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).parent))
from interop import FIXTURES, greedy, has, sh  # noqa: E402

checks = 0


def check(what, ok):
    global checks
    checks += 1
    assert ok, what


def of_gguf(*paths):
    return {t.name: (t.tensor_type, list(t.shape), np.asarray(t.data).tobytes())
            for p in paths for t in gguf.GGUFReader(p).tensors}


def gguf_parts(name, work):
    src = FIXTURES / "gguf" / f"{name}.q4_k_m.gguf"
    sh(f"apr-cat {src} | apr-split --max-size 200K {work}/g")
    parts = sorted(Path(work).glob("g-*.gguf"))
    check(f"{name}: more than one part", len(parts) > 2)
    for i, p in enumerate(parts):
        r = gguf.GGUFReader(p)
        keys = {k: r.fields[k].contents() for k in ("split.no", "split.count", "split.tensors.count")}
        check(f"{p.name}: {keys}", keys == {"split.no": i, "split.count": len(parts),
                                            "split.tensors.count": len(of_gguf(src))})
        check(f"{p.name}: the keys are in the first", ("general.architecture" in r.fields) == (i == 0))
    check(f"{name}: tensors", of_gguf(*parts) == of_gguf(src))
    if has("xllamacpp"):
        ref = json.loads((FIXTURES / "ref" / f"{name}.json").read_text())["prompts"]
        prompts = [p["prompt_ids"] for p in ref]
        check(f"{name}: llama.cpp says other tokens", greedy(parts[0], prompts) == greedy(src, prompts))


def tensors(path):
    out = {}
    with safe_open(path, framework="np") as f:
        names = list(f.keys())
    blob = path.read_bytes()
    n = int.from_bytes(blob[:8], "little")
    head = json.loads(blob[8:8 + n])
    for name in names:
        a, b = head[name]["data_offsets"]
        out[name] = (head[name]["dtype"], head[name]["shape"], blob[8 + n + a:8 + n + b])
    return out


def safetensors_parts(name, work):
    src = FIXTURES / "hf" / name
    d = Path(work) / "d"
    d.mkdir()
    sh(f"apr-cat {src} | apr-split --layers {d}/")
    index = json.loads((d / "model.safetensors.index.json").read_text())
    got, want = {}, {}
    for p in sorted(d.glob("*.safetensors")):
        part = tensors(p)
        check(f"{name}: the index", {k: v for k, v in index["weight_map"].items() if v == p.name}.keys() == part.keys())
        got.update(part)
    for p in src.glob("*.safetensors"):
        want.update(tensors(p))
    check(f"{name}: tensors", got == want)
    if has("torch") and has("transformers"):
        import torch
        from transformers import AutoModelForCausalLM

        shutil.copy(src / "config.json", d)
        ids = torch.arange(1, 20).reshape(1, -1)
        with torch.no_grad():
            a, b = (AutoModelForCausalLM.from_pretrained(m, dtype=torch.float32)(ids).logits for m in (d, src))
        check(f"{name}: transformers", torch.equal(a, b))


def main():
    if not (FIXTURES / "ref").is_dir():
        assert not os.environ.get("APR_ENFORCE"), f"no fixtures in {FIXTURES}"
        print("parts.py: no fixtures")
        return
    for name in ("llama3", "qwen3-moe", "gpt2"):
        with tempfile.TemporaryDirectory() as work:
            gguf_parts(name, work)
            safetensors_parts(name, work)
    print(f"parts.py: {checks} checks, {'with' if has('torch') else 'without'} transformers,"
          f" {'with' if has('xllamacpp') else 'without'} llama.cpp")


if __name__ == "__main__":
    main()
