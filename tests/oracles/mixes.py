#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The recipes of the mixes against the same rules, said as a program.

Random models (architectures, layers, heads, experts, odd rows, tied or not,
overrides) go through apr-quant as plans; what it decides is compared with
type_of() below, which goes by llama-quantize's rules one after another.  The
fixtures show that these are llama-quantize's for 16 real models; this is for
what none of them has: Falcon, the 70B class, many layers, few heads.

    mixes.py [models [seed]]
"""

import io
import json
import random
import subprocess
import sys
import tarfile

import xxhash

FTYPES = {
    "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11,
    "Q3_K_M": 12, "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17,
    "Q6_K": 18, "IQ2_XXS": 19, "IQ2_XS": 20, "Q2_K_S": 21, "IQ3_XS": 22, "IQ3_XXS": 23,
    "IQ1_S": 24, "IQ4_NL": 25, "IQ3_S": 26, "IQ3_M": 27, "IQ2_S": 28, "IQ2_M": 29,
    "IQ4_XS": 30, "IQ1_M": 31, "TQ1_0": 36, "TQ2_0": 37, "MXFP4_MOE": 38, "Q1_0": 40,
    "Q2_0": 41,
}
BASES = {
    "Q3_K_S": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_L": "Q3_K", "Q4_K_S": "Q4_K", "Q4_K_M": "Q4_K",
    "Q5_K_S": "Q5_K", "Q5_K_M": "Q5_K", "Q2_K_S": "Q2_K", "IQ3_XS": "IQ3_S", "IQ3_M": "IQ3_S",
    "IQ2_S": "IQ2_XS", "IQ2_M": "IQ2_S", "MXFP4_MOE": "MXFP4",
}
LOW = {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M"}
BLOCKS = {"Q4_0": 32, "Q4_1": 32, "Q5_0": 32, "Q5_1": 32, "Q8_0": 32, "IQ4_NL": 32,
          "MXFP4": 32, "Q1_0": 128, "Q2_0": 64, "F16": 1, "F32": 1}
INSTEAD = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


def block(t):
    return BLOCKS.get(t, 256)


class Model:
    """Names with shapes, slowest first, and the metadata that decide."""

    def __init__(self, rng):
        self.arch = rng.choice(["llama"] * 3 + ["falcon"] * 3 + ["qwen2", "olmo", "deci", "jais2", "bailingmoe3"])
        self.layers = rng.choice([1, 2, 3, 5, 8, 9, 17, 32, 33, 68, 80])
        if rng.random() < 0.5:
            self.layers = {"falcon": 32, "jais2": 68}.get(self.arch, 80)
        self.experts = rng.choice([0, 0, 0, 1, 2, 4, 8, 8, 16])
        self.heads = rng.choice([8, 32])
        self.kv = rng.choice([self.heads, self.heads // 2, self.heads // 4, self.heads // 8 or 1, None])
        wide = rng.choice([256, 512])
        odd = rng.choice([wide, wide, wide, 224, 288])
        self.tensors = {"token_embd.weight": [64, wide], "output_norm.weight": [wide]}
        if rng.random() < 0.6:
            self.tensors["output.weight"] = [64, rng.choice([wide, odd])]
        if rng.random() < 0.2:
            self.tensors["per_layer_token_embd.weight"] = [64, wide]
        fused = rng.random() < 0.2
        shared = rng.random() < 0.5
        for n in range(self.layers):
            b = f"blk.{n}."
            self.tensors[b + "attn_norm.weight"] = [wide]
            for q in ["attn_qkv"] if fused else ["attn_q", "attn_k", "attn_v"]:
                self.tensors[b + q + ".weight"] = [64, wide]
            self.tensors[b + "attn_output.weight"] = [wide, odd]
            if self.experts > 1 and rng.random() < 0.9:
                self.tensors[b + "ffn_gate_inp.weight"] = [self.experts, wide]
                for f in ["gate", "up"]:
                    self.tensors[b + f"ffn_{f}_exps.weight"] = [self.experts, 64, wide]
                self.tensors[b + "ffn_down_exps.weight"] = [self.experts, wide, odd]
                if shared:
                    self.tensors[b + "ffn_down_shexp.weight"] = [wide, odd]
                    self.tensors[b + "ffn_up_shexp.weight"] = [64, wide]
            else:
                for f in ["gate", "up"]:
                    self.tensors[b + f"ffn_{f}.weight"] = [64, wide]
                self.tensors[b + "ffn_down.weight"] = [wide, odd]
            if rng.random() < 0.1:
                self.tensors[b + "ssm_out.weight"] = [wide, odd]

    def metadata(self):
        m = {"general.architecture": self.arch, f"{self.arch}.block_count": self.layers,
             f"{self.arch}.attention.head_count": self.heads}
        if self.experts:
            m[f"{self.arch}.expert_count"] = self.experts
        if self.kv is not None:
            m[f"{self.arch}.attention.head_count_kv"] = [self.kv] * self.layers
        return m

    def plan(self, rng):
        names = list(self.tensors)
        rng.shuffle(names)      # no stream's order may matter
        entries = []
        for n in names:
            size = 2
            for d in self.tensors[n]:
                size *= d
            entries.append({"name": n, "dtype": "F16", "shape": self.tensors[n], "bytes": size})
        text = json.dumps({"apr_stream": 1, "source": "gguf", "convention": "gguf", "plan": True,
                           "files": [], "metadata": self.metadata(), "tensors": entries}).encode()
        sums = f"{xxhash.xxh3_128_hexdigest(text)}  manifest.json\n".encode()
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in (("manifest.json", text), ("CHECKSUMS", sums)):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()


class Quantizer:
    def __init__(self, model, ftype, imatrix=False, pure=False, override=None):
        self.m, self.ftype, self.im, self.pure = model, ftype, imatrix, pure
        self.override = override
        self.base = BASES.get(ftype, ftype)
        self.tied = "output.weight" not in model.tensors
        kv = model.heads if model.kv is None else model.kv
        self.kv = kv
        self.gqa = model.heads // kv if kv else 0
        self.values = sum(self.kind(n) == "value" for n in model.tensors)
        self.i = {"value": 0, "down": 0, "gate": 0, "up": 0}
        m = model
        self.seventy = (m.arch == "llama" and m.layers == 80 and m.heads != kv and m.experts != 8) or \
            (m.arch in ("qwen2", "deci", "olmo") and m.layers == 80) or \
            (m.arch == "jais2" and m.layers == 68)

    @staticmethod
    def kind(n):
        if n == "output.weight":
            return "output"
        if n in ("token_embd.weight", "per_layer_token_embd.weight"):
            return "embedding"
        for part, kind in (("attn_qkv.weight", "value"), ("attn_kv_b.weight", "value"),
                           ("attn_v.weight", "value"), ("attn_k.weight", "key"),
                           ("attn_q.weight", "query"), ("attn_output.weight", "attn_output"),
                           ("ffn_up", "up"), ("ffn_gate", "gate"), ("ffn_down", "down")):
            if part in n:
                return kind
        return "other"

    def low(self, kind):
        t, E, f = self.base, self.m.experts, self.ftype
        big = f in ("IQ2_S", "IQ2_M")
        if kind == "value":
            t = "Q4_K" if self.gqa >= 4 or E >= 4 else "IQ3_S" if big else "Q2_K"
            self.i["value"] += 1
        elif kind == "key" and E == 8:
            t = "Q4_K"
        elif kind == "down":
            if self.i["down"] < self.m.layers // 8:
                t = "IQ3_S" if big else "Q2_K"
            self.i["down"] += 1
        elif kind == "attn_output":
            if E == 8:
                t = "Q5_K"
            elif f in ("IQ1_S", "IQ1_M"):
                t = "IQ2_XXS"
            elif big:
                t = "IQ3_S"
        return t

    def value(self, f):
        t, i, n = self.base, self.i["value"], self.values
        self.i["value"] += 1
        more = i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2
        if f == "Q2_K":
            t = "Q4_K" if self.gqa >= 4 else "Q3_K"
        elif f in ("Q2_K_S", "IQ3_XS", "IQ3_S") and self.gqa >= 4:
            t = "Q4_K"
        elif f == "IQ3_XXS":
            t = "Q4_K" if self.gqa >= 4 else t if self.im else "IQ3_S"
        elif f == "Q3_K_M":
            t = "Q5_K" if i < 2 else "Q4_K"
        elif f == "Q3_K_L":
            t = "Q5_K"
        elif f == "IQ3_M":
            t = "Q4_K"
        elif f in ("IQ4_NL", "IQ4_XS") and self.gqa >= 4:
            t = "Q5_K"
        elif f in ("Q4_K_M", "Q5_K_M") and more:
            t = "Q6_K"
        elif f == "Q4_K_S" and i < 4:
            t = "Q5_K"
        if self.seventy and t in ("Q3_K", "Q4_K"):
            t = "Q5_K"
        return "Q8_0" if self.m.experts == 8 else t

    def place(self, kind, name):
        i = self.i[kind]
        self.i[kind] += 1
        if self.m.experts > 1:
            i = int(name.split(".")[1])
        return i

    def down(self, f, name):
        t, n, falcon = self.base, self.m.layers, self.m.arch == "falcon"
        i = self.place("down", name)
        more = i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2
        if f == "Q2_K":
            t = "Q3_K"
        elif f == "Q2_K_S" and i < n // 8:
            t = "Q4_K"
        elif f == "IQ3_XXS" and not self.im:
            t = "Q4_K" if i < n // 8 else "Q3_K"
        elif f == "Q3_K_M":
            t = "Q5_K" if i < n // 16 else "Q4_K" if not falcon or more else "Q3_K"
        elif f == "IQ3_M" and (i < n // 8 or (self.m.experts == 8 and more)):
            t = "Q4_K"
        elif f == "Q3_K_L":
            t = "Q4_K" if falcon else "Q5_K"
        elif f == "Q4_K_M":
            if falcon:
                t = "Q6_K" if i < n // 16 else "Q5_K" if more else "Q4_K"
            elif more:
                t = "Q6_K"
        elif f == "Q5_K_M" and more:
            t = "Q6_K"
        elif f in ("IQ4_NL", "IQ4_XS") and not self.im and i < n // 8:
            t = "Q5_K"
        elif f == "Q4_K_S" and not falcon and i < n // 8:
            t = "Q5_K"
        elif f in ("Q4_0", "Q5_0") and self.im and i < n // 8:
            t = "Q4_1" if f == "Q4_0" else "Q5_1"
        return t

    def attn_output(self, f):
        if self.m.arch == "falcon":
            return "Q4_K" if f == "Q3_K_L" else self.base
        if self.m.experts == 8:
            five = ("Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M", "IQ3_XXS", "IQ3_XS",
                    "IQ3_S", "IQ3_M", "IQ4_NL", "IQ4_XS")
            return "Q5_K" if f in five else self.base
        return {"Q2_K": "Q3_K", "IQ3_XXS": "IQ3_S", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K",
                "IQ3_M": "Q4_K"}.get(f, self.base)

    def mixed(self, name, shape):
        f, kind = self.ftype, self.kind(name)
        if kind == "output" or (kind == "embedding" and self.tied):
            if f == "MXFP4_MOE" or self.m.arch == "falcon" or shape[-1] % block(self.base):
                return "Q8_0"
            if f in LOW or f == "IQ3_XXS":
                return "Q5_K"
            return "Q8_0" if self.base == "Q8_0" else "Q6_K"
        if f == "MXFP4_MOE":
            stack = len(shape) > 2 and shape[-3] > 1
            if self.m.arch == "bailingmoe3":
                stack = stack and kind in ("up", "gate", "down")
            return "MXFP4" if stack else "Q8_0"
        if kind == "embedding":
            if f in ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"):
                return "Q2_K"
            if f in ("IQ2_S", "IQ2_M", "IQ3_XXS"):
                return "IQ3_S"
            return "Q4_K" if f in ("TQ1_0", "TQ2_0", "Q2_0") else self.base
        if f in LOW:
            return self.low(kind)
        if kind == "value":
            return self.value(f)
        if kind == "key" and self.m.experts == 8:
            return "Q8_0"
        if kind in ("key", "query"):
            return {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(f, self.base)
        if kind == "down":
            return self.down(f, name)
        if kind == "attn_output":
            return self.attn_output(f)
        if kind in ("gate", "up"):
            i, n = self.place(kind, name), self.m.layers
            if f == "IQ3_XS" and n // 8 <= i < 7 * n // 8:
                return "IQ3_XXS"
        return self.base

    def fallback(self, t, cols):
        if cols % block(t) == 0:
            return t
        if t == "Q1_0":
            return None
        new = INSTEAD.get(t)
        if t in ("Q2_K", "Q3_K", "Q2_0", "TQ1_0", "TQ2_0"):
            new = "Q4_0"
        elif t.startswith("IQ") and block(t) == 256:
            new = "IQ4_NL"
        return new if new and cols % block(new) == 0 else "F16"

    def type_of(self, name, shape):
        if len(shape) < 2 or "_norm.weight" in name or "ffn_gate_inp.weight" in name:
            return "F16"
        if self.override and self.override[0] in name:
            t = self.override[1]
        elif self.pure:
            t = self.base
        else:
            t = self.mixed(name, shape)
        return self.fallback(t, shape[-1])

    def all(self):
        def visit(n):
            return int(n.split(".")[1]) if n.startswith("blk.") else -1, n.encode()
        return {n: self.type_of(n, self.m.tensors[n]) for n in sorted(self.m.tensors, key=visit)}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    runs = refused = 0
    for k in range(count):
        model = Model(rng)
        plan = model.plan(rng)
        for ftype, number in FTYPES.items():
            pure = rng.random() < 0.05
            override = rng.choice([None, None, ("blk.1.", "Q5_0"), ("ffn_down", "Q3_K"), ("attn_v", "Q8_0")])
            want = Quantizer(model, ftype, pure=pure, override=override).all()
            cmd = ["apr-quant", "-q", ftype] + ["--pure"] * pure
            if override:
                cmd += ["--tensor-type", override[0].replace(".", r"\.") + "=" + override[1]]
            got = subprocess.run(cmd, input=plan, capture_output=True)
            runs += 1
            if None in want.values():
                assert got.returncode == 1 and b"whole Q1_0 blocks" in got.stderr, (k, cmd, got)
                refused += 1
                continue
            assert got.returncode == 0, (k, cmd, got.stderr)
            with tarfile.open(fileobj=io.BytesIO(got.stdout)) as tar:
                m = json.load(tar.extractfile("manifest.json"))
            have = {t["name"]: t["dtype"] for t in m["tensors"]}
            wrong = {n: (want[n], have[n]) for n in want if want[n] != have[n]}
            assert not wrong, (k, cmd, model.metadata(), list(wrong.items())[:5])
            assert m["set"]["general.file_type"]["value"] == number
    print(f"mixes: {count} models, {runs} plans as the rules have them ({refused} refused as they should)")


main()
