#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tokens are drawn as often as llama.cpp's samplers, and transformers' in the
same order, say that they should be; and none that those have cut away.

llama.cpp's library (xllamacpp) tells what is left of a distribution and with
which probabilities.  transformers needs torch, which scripts/oracles gets with
--torch alone.  Of presence and frequency nothing is asked: llama.cpp counts the
prompt's tokens in, others do not.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sample"
DRAWS = 1000
NEAR = 4.5  # standard deviations, of which a count may be off: seeds are the same each time
ORDER = ["temperature", "top_k", "typ_p", "top_p", "min_p"]
CASES = [
    {"temperature": 1.0},
    {"temperature": 3.0},
    {"temperature": 0.7},
    {"temperature": 2.0, "top_k": 1},
    {"temperature": 2.0, "top_k": 7},
    {"temperature": 2.0, "top_p": 0.5},
    {"temperature": 3.0, "top_p": 0.9},
    {"temperature": 3.0, "min_p": 0.3},
    {"temperature": 3.0, "typical_p": 0.4},
    {"temperature": 2.0, "typical_p": 0.9},
    # Each cut is of what those before it left.
    {"temperature": 3.0, "top_k": 12, "top_p": 0.6},
    {"temperature": 3.0, "top_k": 20, "typical_p": 0.5, "top_p": 0.8},
    {"temperature": 3.0, "typical_p": 0.5, "top_p": 0.5},
    {"temperature": 3.0, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
    {"temperature": 2.0, "repetition_penalty": 1.3},
    {"temperature": 2.0, "repetition_penalty": 0.8, "top_p": 0.7},
    {"temperature": 2.0, "logit_bias": {"20": 3.5, "23": -2}, "top_k": 9},
]
checks = 0


def check(what, ok):
    global checks
    checks += 1
    assert ok, what


def sh(line):
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True)


def drawn(path, ids, case):
    """How often each token comes first."""
    asked = "".join(json.dumps({"ids": ids, "max_tokens": 1, "seed": i, **case}) + "\n"
                    for i in range(DRAWS))
    said = subprocess.run(["apr-infer", "-q", "--jsonl", path], input=asked, text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    # What ends an answer is no part of it.
    end = json.loads((SAMPLE / "config.json").read_text())["eos_token_id"]
    count = {}
    for line in said.splitlines():
        token = (json.loads(line)["tokens"] or [end])[0]
        count[token] = count.get(token, 0) + 1
    check(f"{case}: {sum(count.values())} answers", sum(count.values()) == DRAWS)
    return count


def compare(who, case, ids, count, want):
    name = f"{who}, {case} behind {ids}"
    check(f"{name}: drawn, though cut away: {set(count) - set(want)}", set(count) <= set(want))
    check(f"{name}: probabilities sum up to {sum(want.values())}", abs(sum(want.values()) - 1) < 1e-3)
    often = {token for token, p in want.items() if DRAWS * p >= 10}
    # Those that hardly ever come are counted together.
    for these in [{token} for token in often] + [set(want) - often]:
        p, n = sum(want[i] for i in these), sum(count.get(i, 0) for i in these)
        far = NEAR * math.sqrt(DRAWS * p) + 1
        check(f"{name}: tokens {these} {n} times, not {DRAWS * p:.1f}", abs(n - DRAWS * p) <= far)


class Llama:
    name = "llama.cpp"

    def __init__(self, path):
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx = 256
        params.n_parallel = 1
        params.n_gpu_layers = 0
        params.warmup = False
        params.verbosity = -1
        params.cpuparams.n_threads = 1
        self.server = xllamacpp.Server(params)

    def left(self, ids, case):
        penalty = "repetition_penalty" in case
        asked = {
            "prompt": ids, "max_tokens": 1, "cache_prompt": False, "n_probs": 512,
            "post_sampling_probs": True, "verbose": True,
            "samplers": (["penalties"] if penalty else []) + ORDER,
            "temperature": case["temperature"], "top_k": case.get("top_k", 0),
            "top_p": case.get("top_p", 1.0), "min_p": case.get("min_p", 0.0),
            "typical_p": case.get("typical_p", 1.0), "repeat_last_n": 256,
            "repeat_penalty": case.get("repetition_penalty", 1.0),
            "logit_bias": [[int(k), v] for k, v in case.get("logit_bias", {}).items()]}
        # A draw that ends the answer tells nothing.
        for seed in range(1, 50):
            r = self.server.handle_completions({**asked, "seed": seed})["__verbose"]
            if "completion_probabilities" in r:
                break
        top = r["completion_probabilities"][0]["top_probs"]
        return {t["id"]: t["prob"] for t in top if t["prob"] > 0}


class Transformers:
    name = "transformers"

    def __init__(self, path):
        import torch
        import transformers

        self.torch, self.t, self.path = torch, transformers, path

    def left(self, ids, case):
        from safetensors.torch import load_file

        with tempfile.TemporaryDirectory() as work:
            sh(f"apr-infer --logits --ids {','.join(map(str, ids))} {self.path} |"
               f" apr-pack -q -f {work}/logits.safetensors")
            x = load_file(f"{work}/logits.safetensors")["logits"][-1:]
        for token, add in case.get("logit_bias", {}).items():
            x[0, int(token)] += add
        t, of = self.t, case.get
        steps = [t.RepetitionPenaltyLogitsProcessor(of("repetition_penalty", 1.0)),
                 t.TemperatureLogitsWarper(case["temperature"])]
        steps += [t.TopKLogitsWarper(of("top_k"))] if of("top_k") else []
        steps += [t.TypicalLogitsWarper(of("typical_p"))] if of("typical_p") else []
        steps += [t.TopPLogitsWarper(of("top_p"))] if of("top_p") else []
        steps += [t.MinPLogitsWarper(of("min_p"))] if of("min_p") else []
        for step in steps:
            x = step(self.torch.tensor([ids]), x)
        return {i: p for i, p in enumerate(x.double().softmax(-1)[0].tolist()) if p > 0}


def has(module):
    try:
        __import__(module)
        return True
    except ImportError:
        return False


def main():
    with tempfile.TemporaryDirectory() as work:
        path = f"{work}/sample.gguf"
        sh(f"apr-cat --as gguf {SAMPLE}/ | apr-dequant -q f32 | apr-pack -q -f {path}")
        others = [Llama(path)] if has("xllamacpp") else []
        others += [Transformers(path)] if has("torch") and has("transformers") else []
        assert has("xllamacpp") or not os.environ.get("APR_ENFORCE"), "no xllamacpp"
        for ids in ([17, 18, 11], [450, 392, 471]) if others else ():
            for case in CASES:
                count = drawn(path, ids, case)
                for other in others:
                    compare(other.name, case, ids, count, other.left(ids, case))
    print(f"sampling.py: {checks} checks, {' and '.join(o.name for o in others) or 'with nobody'}")


if __name__ == "__main__":
    sys.exit(main())
