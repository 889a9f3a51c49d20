#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""apr-diff's figures, computed once more by NumPy: errors of each tensor to
1e-9 of their size, in one convention and across two (rotated rows, transposed
and stacked weights, blocks decoded by the gguf package), and predictions
(KL divergence, cosine, perplexity) from the logits that apr-infer writes.

The second and third part need the fixtures (see read_outputs.py).
"""

import io
import json
import math
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(os.environ.get("APR_FIXTURES") or ROOT.parent / "shared" / "fixtures")
TYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "BF16": "<u2", "I32": "<i4", "I64": "<i8", "U8": "u1"}
checks = 0


def diff(*args):
    p = subprocess.run(["apr-diff", "--json", *map(str, args)], capture_output=True, text=True)
    if p.returncode not in (0, 1):
        sys.exit(f"diff: {args}: {p.returncode}: {p.stderr}")
    return json.loads(p.stdout)


def near(got, want, what, rel=1e-9):
    global checks
    checks += 1
    if want is None or not math.isfinite(want):
        ok = got is None
    else:
        ok = got is not None and abs(got - want) <= rel * abs(want)
    if not ok:
        sys.exit(f"diff: {what}: {got!r}, NumPy has {want!r}")


def widen(dtype, raw):
    a = np.frombuffer(raw, TYPES[dtype])
    if dtype == "BF16":
        a = (a.astype(np.uint32) << 16).view(np.float32)
    return a.astype(np.float64)


def read_st(path):
    out = {}
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    for name, t in json.loads(raw[8:8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            out[name] = widen(t["dtype"], raw[8 + n + a:8 + n + b]).reshape(t["shape"])
    return out


def write_st(path, tensors):
    head, data = {}, b""
    for name, (dtype, a) in tensors.items():
        if dtype == "BF16":
            a = (a.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        raw = a.astype(TYPES[dtype]).tobytes()
        head[name] = {"dtype": dtype, "shape": list(a.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def figures(t, a, b, what):
    """One tensor of apr-diff's answer against two arrays."""
    a, b = a.ravel(), b.ravel()
    fin = np.isfinite(a) & np.isfinite(b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    x, y = a[fin], b[fin]
    aa, bb, ab, dd = (math.fsum(v) for v in (x * x, y * y, x * y, (x - y) ** 2))
    near(t["n"], len(a), f"{what}: n")
    near(t["equal"], same.mean(), f"{what}: equal")
    near(t["unequal_nonfinite"], int((~fin & ~same).sum()), f"{what}: not finite")
    near(t["rmse"], math.sqrt(dd / len(x)) if len(x) else 0, f"{what}: rmse")
    near(t["nmse"], 0 if dd == 0 else dd / aa if aa else math.inf, f"{what}: nmse")
    near(t["sqnr_db"], 10 * math.log10(aa / dd) if dd and aa else math.inf, f"{what}: sqnr")
    near(t["cosine"], 1 if dd == 0 else ab / math.sqrt(aa) / math.sqrt(bb) if aa and bb else 0,
         f"{what}: cosine")
    d = np.where(fin, np.abs(np.where(fin, a, 0) - np.where(fin, b, 0)), 0)
    near(t["max"], d.max() if len(d) else 0, f"{what}: max")
    if t["max"]:
        shape = t["a"]["shape"]
        at = tuple(int(i) for i in np.unravel_index(int(d.argmax()), shape))
        near(float(np.ravel_multi_index(t["max_at"], shape)), float(d.argmax()), f"{what}: max_at {at}")


def random_pairs(tmp):
    rng = np.random.default_rng(5)
    a, b = {}, {}
    for i, (ta, tb) in enumerate([("F32", "F32"), ("F32", "F16"), ("BF16", "F32"), ("F16", "BF16"),
                                  ("F64", "F64"), ("F64", "F32"), ("I32", "F32"), ("I64", "I32")]):
        for shape in ((1,), (7,), (4096,), (4097,), (3, 5000), (129, 37), (2, 3, 4, 5), (300001,)):
            x = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 3)
            y = x + rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 1)
            if i % 2 == 0 and ta[0] != "I":
                x.flat[rng.integers(x.size)] = np.nan
                y.flat[rng.integers(x.size)] = np.inf
            if ta[0] == "I":
                x, y = np.round(x * 1000), np.round(y * 1000)
            if ta == "F32" and shape == (7,):
                y = x * 0
            a[f"{ta}.{tb}.{shape}"] = (ta, x)
            b[f"{ta}.{tb}.{shape}"] = (tb, y)
    write_st(tmp / "a.safetensors", a)
    write_st(tmp / "b.safetensors", b)
    x, y = read_st(tmp / "a.safetensors"), read_st(tmp / "b.safetensors")
    for jobs in (1, 3):
        got = diff("-j", jobs, tmp / "a.safetensors", tmp / "b.safetensors")
        for t in got["tensors"]:
            figures(t, x[t["name"]], y[t["name"]], t["name"])
        if len(got["tensors"]) != len(x):
            sys.exit("diff: tensors are missing")


def read_hf(folder):
    out = {}
    for f in sorted(folder.glob("*.safetensors")):
        out.update(read_st(f))
    return out


def rotated(w, heads):
    """Halves of each head to pairs, as llama.cpp's converter has them."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def expect(hf, gguf, cfg):
    """The checkpoint's array that GGUF's tensor was made from."""
    if cfg["model_type"] == "gpt2":
        name = gguf
        for a, b in (("blk.", "transformer.h."), ("attn_qkv", "attn.c_attn"), ("attn_output.", "attn.c_proj."),
                     ("ffn_up", "mlp.c_fc"), ("ffn_down", "mlp.c_proj"), ("attn_norm", "ln_1"),
                     ("ffn_norm", "ln_2"), ("token_embd", "transformer.wte"),
                     ("position_embd", "transformer.wpe"), ("output_norm", "transformer.ln_f")):
            name = name.replace(a, b)
        if ".c_" in name and name.endswith("weight"):
            return hf[name].T
        return hf[name]
    name = gguf
    for a, b in (("blk.", "model.layers."), ("attn_q.", "self_attn.q_proj."), ("attn_k.", "self_attn.k_proj."),
                 ("attn_v.", "self_attn.v_proj."), ("attn_output.", "self_attn.o_proj."),
                 ("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm"),
                 ("ffn_gate_inp", "mlp.gate"), ("ffn_gate.", "mlp.gate_proj."), ("ffn_up.", "mlp.up_proj."),
                 ("ffn_down.", "mlp.down_proj."), ("attn_norm", "input_layernorm"),
                 ("ffn_norm", "post_attention_layernorm"), ("token_embd", "model.embed_tokens"),
                 ("output_norm", "model.norm")):
        name = name.replace(a, b)
    name = "lm_head.weight" if name == "output.weight" else name
    if "_exps" in gguf:
        base, which = gguf.replace("blk.", "model.layers.").split(".ffn_")
        which = which.split("_")[0]
        n = cfg.get("num_experts") or cfg["num_local_experts"]
        return np.stack([hf[f"{base}.mlp.experts.{i}.{which}_proj.weight"] for i in range(n)])
    w = hf[name]
    if cfg["model_type"] == "llama" and ("attn_q." in gguf or "attn_k." in gguf):
        return rotated(w, cfg["num_attention_heads" if "_q." in gguf else "num_key_value_heads"])
    return w


def conventions(tmp):
    for m in ("llama3", "gpt2", "qwen3", "qwen3-moe", "smollm"):
        folder, file = FIXTURES / "hf" / m, FIXTURES / "gguf" / f"{m}.q4_k_m.gguf"
        if not file.exists():
            continue
        cfg = json.loads((folder / "config.json").read_text())
        hf = read_hf(folder)
        packed = {t.name: dequantize(t.data, t.tensor_type).astype(np.float64).reshape(
            [int(d) for d in reversed(t.shape)]) for t in GGUFReader(str(file)).tensors}
        got = {t["name"]: t for t in diff(folder, file)["tensors"]}
        back = {t["name"]: t for t in diff(file, folder)["tensors"]}
        if set(got) != set(packed):
            sys.exit(f"diff: {m}: {set(got) ^ set(packed)}")
        for name, b in packed.items():
            if name == "rope_freqs.weight":
                continue
            a = expect(hf, name, cfg)
            figures(got[name], a, b, f"{m}: {name}")
            figures(back[name], b, a, f"{m} back: {name}")


def logits_of(model, ids):
    p = subprocess.run(["apr-infer", "--logits", "--ids", ",".join(map(str, ids)), str(model)],
                       capture_output=True)
    tar = tarfile.open(fileobj=io.BytesIO(p.stdout))
    m = json.load(tar.extractfile("manifest.json"))
    shape = m["tensors"][0]["shape"]
    return p.stdout, np.frombuffer(tar.extractfile("tensors/logits").read(), "<f4").astype(
        np.float64).reshape(shape)


def log_softmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def predictions(tmp):
    a, b = FIXTURES / "gguf/llama3.bf16.gguf", FIXTURES / "gguf/llama3.q4_0.gguf"
    if not b.exists():
        return
    text = tmp / "text"
    text.write_bytes((ROOT / "README.md").read_bytes()[:400])
    ids = [int(i) for i in subprocess.run(["apr-token", str(a)], stdin=text.open(), capture_output=True,
                                          text=True).stdout.split()]
    (ra, x), (rb, y) = logits_of(a, ids), logits_of(b, ids)
    (tmp / "a.tar").write_bytes(ra)
    (tmp / "b.tar").write_bytes(rb)
    la, lb = log_softmax(x), log_softmax(y)
    kl = (np.exp(la) * (la - lb)).sum(axis=1)
    cosine = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    top = np.sort(x, axis=1)
    got = diff("--logits", tmp / "a.tar", tmp / "b.tar")
    for i, p in enumerate(got["positions"]):
        near(p["kl"], kl[i], f"KL at {i}")
        near(p["cosine"], cosine[i], f"cosine at {i}")
        near(p["margin_a"], top[i, -1] - top[i, -2], f"margin at {i}")
        near(p["max"], np.abs(x[i] - y[i]).max(), f"max at {i}")
        near(p["argmax"][0], int(x[i].argmax()), f"argmax at {i}")
        near(p["argmax"][1], int(y[i].argmax()), f"argmax at {i}")
        near(p["gap"], x[i].max() - x[i, y[i].argmax()], f"gap at {i}")
        gap = x[i].max() - x[i, y[i].argmax()]
        want = "IDENTICAL" if x[i].argmax() == y[i].argmax() else "TIE-BREAK" if gap <= 1e-3 else "DIVERGED"
        near(p["class"] == want, True, f"class at {i}")
    near(len(got["positions"]), len(ids), "positions")
    run = diff("--run", text, a, b)
    near(run["predicted"], len(ids) - 1, "tokens of --run")
    near(run["kl"]["mean"], kl[:-1].mean(), "mean KL")
    for key, q in (("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1)):
        near(run["kl"][key], np.quantile(kl[:-1], q), f"KL {key}")
    near(run["agreement"], (x[:-1].argmax(1) == y[:-1].argmax(1)).mean(), "agreement")
    for key, l in (("a", la), ("b", lb)):
        loss = -l[np.arange(len(ids) - 1), ids[1:]]
        near(run[f"perplexity_{key}"], np.exp(loss.mean()), f"perplexity of {key}")
        near(run[f"error_{key}"], np.exp(loss.mean()) * loss.std() / math.sqrt(len(loss)), "its error", 1e-6)


with tempfile.TemporaryDirectory() as d:
    random_pairs(Path(d))
    if FIXTURES.exists():
        conventions(Path(d))
        predictions(Path(d))
print(f"diff: {checks} figures are NumPy's")
