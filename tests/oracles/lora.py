#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A merge by apr-lora is the merge by PEFT, within F32's rounding.

Needs torch, transformers and peft: scripts/oracles --torch gets them.  Without
them, and without the fixtures, there is nothing to do.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(os.environ.get("APR_FIXTURES") or ROOT.parent / "shared" / "fixtures")
CASES = [
    ("qwen2", dict(r=4, lora_alpha=10, target_modules=["q_proj", "down_proj"])),
    ("llama3", dict(r=8, lora_alpha=3, target_modules="all-linear", use_rslora=True)),
    ("gpt2", dict(r=4, lora_alpha=16, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)),
    ("smollm", dict(r=2, lora_alpha=2, target_modules=["v_proj", "embed_tokens"],
                    rank_pattern={"layers.0.self_attn.v_proj": 5}, alpha_pattern={"layers.0.self_attn.v_proj": 7})),
    ("olmo2", dict(r=3, lora_alpha=3, target_modules=["up_proj"], modules_to_save=["lm_head"])),
]
checks = 0


def run(name, options, work):
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    global checks
    base = AutoModelForCausalLM.from_pretrained(FIXTURES / "hf" / name, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **options))
    torch.manual_seed(1)
    for key, p in model.named_parameters():
        if "lora_" in key or "modules_to_save" in key:
            p.data += torch.randn_like(p) * 0.1
    model.save_pretrained(f"{work}/adapter")
    merged = model.merge_and_unload().state_dict()
    subprocess.run(["bash", "-o", "pipefail", "-c",
                    f"apr-cat {FIXTURES}/hf/{name} | apr-dequant -q | apr-lora {work}/adapter |"
                    f" apr-pack -q {work}/out.safetensors"], check=True)
    ours = load_file(f"{work}/out.safetensors")
    plain = {k: v for f in (FIXTURES / "hf" / name).glob("*.safetensors") for k, v in load_file(f).items()}
    changed = 0
    for key, x in ours.items():
        theirs = merged.get(key, merged.get("transformer." + key))
        assert theirs is not None, f"{name}: {key}"
        scale = theirs.abs().max().item()
        worst = (x - theirs).abs().max().item() / scale
        assert worst <= 2e-6, f"{name}: {key} differs by {worst} of the largest"
        changed += not torch.equal(x, plain[key].float())
        checks += 1
    assert changed >= 2, f"{name}: nothing was merged"
    print(f"{name}: {changed} of {len(ours)} tensors changed, as PEFT changes them")


def main():
    try:
        import peft  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        print("lora.py: no peft")
        return
    if not (FIXTURES / "hf").is_dir():
        assert not os.environ.get("APR_ENFORCE"), f"no fixtures in {FIXTURES}"
        print("lora.py: no fixtures")
        return
    for name, options in CASES:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory() as work:
            run(name, options, work)
    print(f"lora.py: {checks} checks")


if __name__ == "__main__":
    main()
