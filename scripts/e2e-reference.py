#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What transformers says to the prompts of `make e2e`, in F32: tests/e2e.json.

A position counts only where the best token is ahead of the next by 0.1 or
more, whatever the number of threads.  The long prompt needs more positions
than the sample was trained for: both sides are told that it knows 1024.
"""
import hashlib
import json
import pathlib
import sys

import tokenizers
import torch
import transformers

SAMPLE = pathlib.Path(__file__).resolve().parent.parent / "examples/sample"
CONTEXT, TOKENS, MARGIN = 1024, 15, 0.1
SUMS = "".join(f"{a}+{b}={a + b}\n" for a, b in ((7 * i % 89 + 10, 11 * i % 83 + 10) for i in range(102)))
PROMPTS = [
    ("sum", "12+7=", 3),
    ("days", "monday tuesday", 3),
    ("months", "january february march", 3),
    ("long", SUMS + "40+6=", 2),
]


def greedy(model, ids):
    """Ids, and by how much each was ahead."""
    out, ahead, cache = [], [], None
    step = torch.tensor([ids])
    with torch.no_grad():
        for _ in range(TOKENS):
            r = model(step, past_key_values=cache, use_cache=True)
            top = r.logits[0, -1].topk(2)
            cache = r.past_key_values
            out.append(int(top.indices[0]))
            ahead.append(round(float(top.values[0] - top.values[1]), 4))
            step = top.indices[:1].reshape(1, 1)
    return out, ahead


def main():
    tok = tokenizers.Tokenizer.from_file(str(SAMPLE / "tokenizer.json"))
    config = transformers.AutoConfig.from_pretrained(SAMPLE)
    config.max_position_embeddings = CONTEXT
    model = transformers.AutoModelForCausalLM.from_pretrained(SAMPLE, config=config, dtype=torch.float32)
    model.eval()
    prompts = []
    for name, text, window in PROMPTS:
        ids = tok.encode(text).ids
        got = []
        for threads in 1, 4:
            torch.set_num_threads(threads)
            got.append(greedy(model, ids))
        if got[0][0] != got[1][0]:
            sys.exit(f"{name}: 1 and 4 threads differ")
        out, ahead = got[0]
        counts = next((i for i, m in enumerate(ahead) if m < MARGIN), TOKENS)
        if counts < window:
            sys.exit(f"{name}: only {counts} positions are clear: {ahead}")
        prompts.append({"name": name, "prompt": text, "ids": ids, "window": window,
                        "clear": counts, "tokens": out, "margins": ahead, "text": tok.decode(out)})
    weights = hashlib.sha256((SAMPLE / "model.safetensors").read_bytes()).hexdigest()
    json.dump({"model": "examples/sample", "sha256": weights, "context": CONTEXT,
               "torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
               "tokenizers": tokenizers.__version__, "margin": MARGIN, "prompts": prompts},
              sys.stdout, indent=1)
    print()


main()
