#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""transformers loads the directories that we make of GGUF files, and computes
what it computed from the checkpoints; llama.cpp's library loads our GGUF files,
and says the same greedy tokens as from llama-quantize's and as transformers.

Needs torch and transformers for the first, which scripts/oracles gets with
--torch alone, and xllamacpp (llama.cpp's library as a wheel) for the second.
Without the fixtures there is nothing to do.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(os.environ.get("APR_FIXTURES") or ROOT.parent / "shared" / "fixtures")
checks = 0


def sh(line):
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True, env=dict(os.environ, F=str(FIXTURES)))


def check(what, ok):
    global checks
    checks += 1
    assert ok, what


def transformers_loads(name, work):
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    sh(f"apr-cat --as gguf $F/hf/{name} | apr-pack -q -f {work}/x.gguf")
    sh(f"rm -rf {work}/dir && apr-cat {work}/x.gguf | apr-pack -q {work}/dir/")
    model, info = AutoModelForCausalLM.from_pretrained(
        f"{work}/dir", dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    missing = [k for k in info["missing_keys"] if not k.endswith("lm_head.weight")]
    check(f"{name}: missing {missing}, unexpected {info['unexpected_keys']}",
          not missing and not info["unexpected_keys"])
    ref = load_file(FIXTURES / "ref" / f"{name}.safetensors")
    ids = ref["input_ids"].long().reshape(1, -1)
    with torch.no_grad():
        logits = model(ids).logits[0]
        own = AutoModelForCausalLM.from_pretrained(
            FIXTURES / "hf" / name, dtype=torch.float32, attn_implementation="eager")(ids).logits[0]
    # GGUF has no sliding window for Mistral: it shows from the window on.
    n = 24 if name == "mistral" else len(ref["logits"])
    worst = (logits[:n] - ref["logits"][:n]).abs().max().item() / ref["logits"].abs().max().item()
    check(f"{name}: logits differ by {worst} of the largest", worst <= 3e-5)
    check(f"{name}: not the logits of the checkpoint", name == "mistral" or torch.equal(logits, own))
    return worst


def greedy(path, prompts):
    """The 32 most likely tokens behind each prompt, by llama.cpp."""
    import xllamacpp as xlc

    params = xlc.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 256
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.warmup = False
    params.verbosity = -1
    params.cpuparams.n_threads = 1
    server = xlc.Server(params)
    out = []
    for ids in prompts:
        # Only here are tokens that are a part of a character listed.
        r = server.handle_completions({"prompt": ids, "max_tokens": 32, "temperature": 0.0, "top_k": 1,
                                       "cache_prompt": False, "return_tokens": True, "verbose": True})
        out.append(r["__verbose"]["tokens"])
    return out


def llama_loads(name, work):
    ref = json.loads((FIXTURES / "ref" / f"{name}.json").read_text())["prompts"]
    prompts = [p["prompt_ids"] for p in ref]
    f = "| apr-dequant -q f32" if name in ("gpt2", "olmo2") else ""
    sh(f"apr-cat --as gguf $F/hf/{name} {f} | apr-quant -q q4_k_m | apr-pack -q -f {work}/q.gguf")
    sh(f"apr-cat --as gguf $F/hf/{name} | apr-dequant -q | apr-pack -q -f {work}/f.gguf")
    check(f"{name}: Q4_K_M says other tokens than the fixture",
          greedy(f"{work}/q.gguf", prompts) == greedy(FIXTURES / "gguf" / f"{name}.q4_k_m.gguf", prompts))
    if name == "mistral":
        return
    for p, got in zip(ref, greedy(f"{work}/f.gguf", prompts)):
        for i, (a, b) in enumerate(zip(got, p["greedy_ids"])):
            # Where two tokens are as likely as each other, roundings decide.
            if p["margins"][i] < 2e-2:
                break
            check(f"{name}: token {i} of {p['prompt']!r} is {a}, transformers says {b}", a == b)


def has(module):
    try:
        __import__(module)
        return True
    except ImportError:
        return False


def main():
    if not (FIXTURES / "ref").is_dir():
        assert not os.environ.get("APR_ENFORCE"), f"no fixtures in {FIXTURES}"
        print("interop.py: no fixtures")
        return
    names = sys.argv[1:] or sorted(p.name for p in (FIXTURES / "hf").iterdir())
    torch, llama = has("torch") and has("transformers"), has("xllamacpp")
    assert llama or not os.environ.get("APR_ENFORCE"), "no xllamacpp"
    assert sys.argv[1:] or len(names) == 16, names
    with tempfile.TemporaryDirectory() as work:
        for name in names:
            if torch:
                print(f"{name}: transformers, {transformers_loads(name, work):.1e}")
            if llama:
                llama_loads(name, work)
                print(f"{name}: llama.cpp")
    print(f"interop.py: {checks} checks, {'with' if torch else 'without'} transformers,"
          f" {'with' if llama else 'without'} llama.cpp")


if __name__ == "__main__":
    main()
