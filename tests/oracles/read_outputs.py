#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other people's readers read what we write, and see what the sources hold.

Needs the packages safetensors, gguf, numpy and xxhash, the programs in PATH
(scripts/oracles sees to both), and the fixtures in $APR_FIXTURES or in
../shared/fixtures.  Without fixtures it does what examples/sample allows, and
fails if $APR_ENFORCE is set.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path

import gguf
import numpy as np
import xxhash
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(os.environ.get("APR_FIXTURES") or ROOT.parent / "shared" / "fixtures")

warnings.simplefilter("error")
checks = 0


def check(what, ok):
    global checks
    checks += 1
    assert ok, what


def pipe(out, *stages):
    """Run a pipeline of argument lists into the file out; all must end with 0."""
    procs, stdin = [], subprocess.DEVNULL
    with open(out, "wb") as f:
        for i, stage in enumerate(stages):
            last = i + 1 == len(stages)
            p = subprocess.Popen([str(a) for a in stage], stdin=stdin,
                                 stdout=f if last else subprocess.PIPE)
            if stdin is not subprocess.DEVNULL:
                stdin.close()
            stdin = p.stdout
            procs.append(p)
    for p, stage in zip(procs, stages):
        check(f"{stage} exits {p.wait()}", p.wait() == 0)


def raw(path):
    """name -> (dtype, shape, bytes) of a safetensors file, by Python's reader."""
    blob = path.read_bytes()
    size = int.from_bytes(blob[:8], "little")
    offsets = {}
    for name, entry in json.loads(blob[8:8 + size]).items():
        if name != "__metadata__":
            offsets[name] = entry
    out = {}
    with safe_open(path, framework="np") as f:
        # The package must agree about what there is before bytes are compared.
        assert sorted(f.keys()) == sorted(offsets), path
        for name in f.keys():
            s = f.get_slice(name)
            a, b = offsets[name]["data_offsets"]
            out[name] = (s.get_dtype(), tuple(s.get_shape()), blob[8 + size + a:8 + size + b])
    return out


def floats(dtype, data):
    """Bytes of a safetensors or GGUF plain type as float32."""
    if dtype == "F32":
        return np.frombuffer(data, "<f4")
    if dtype == "F16":
        return np.frombuffer(data, "<f2").astype("f4")
    assert dtype == "BF16", dtype
    return (np.frombuffer(data, "<u2").astype("u4") << 16).view("f4")


def same(a, b):
    """Equal bit for bit, so that -0 and NaN count too."""
    a, b = np.ascontiguousarray(a, "f4"), np.ascontiguousarray(b, "f4")
    return a.size == b.size and bool((a.view("u4").ravel() == b.view("u4").ravel()).all())


def decode(t):
    """A tensor of gguf's reader as float32."""
    return gguf.quants.dequantize(np.asarray(t.data), t.tensor_type)


def of_directory(path):
    out = {}
    for shard in sorted(path.glob("*.safetensors")):
        out.update(raw(shard))
    return out


def safetensors_from_directory(src, tmp):
    """One file from a directory, shards or not: the same tensors."""
    want = of_directory(src)
    out = tmp / "one.safetensors"
    pipe(tmp / "log", ["apr-cat", src], ["apr-pack", "-f", out])
    got = raw(out)
    check(f"{src.name}: names", sorted(got) == sorted(want))
    for name, tensor in want.items():
        check(f"{src.name}: {name}", got[name] == tensor)

    pipe(tmp / "log", ["apr-cat", src], ["apr-dequant", "-q"], ["apr-pack", "-f", out])
    for name, (dtype, shape, data) in raw(out).items():
        if want[name][0] not in ("F32", "F16", "BF16"):
            continue
        check(f"{src.name}: {name} is F32", dtype == "F32" and shape == want[name][1])
        check(f"{src.name}: {name} in F32", same(floats("F32", data), floats(want[name][0], want[name][2])))


def gguf_from_gguf(src, tmp):
    """The values of a decoded GGUF are those that gguf's own decoder gives."""
    try:
        source = {t.name: t for t in gguf.GGUFReader(src).tensors}
    except ValueError as e:
        # Newer than the package: no values to compare with, so it must say why.
        assert "GGMLQuantizationType" in str(e), src
        print(f"read_outputs: {src.name}: {e}")
        return
    out = tmp / "f32.gguf"
    pipe(tmp / "log", ["apr-cat", src], ["apr-dequant", "-q"], ["apr-pack", "-f", out])
    got = gguf.GGUFReader(out)
    check(f"{src.name}: names", sorted(t.name for t in got.tensors) == sorted(source))
    for t in got.tensors:
        s = source[t.name]
        check(f"{src.name}: {t.name} is F32", t.tensor_type == gguf.GGMLQuantizationType.F32)
        check(f"{src.name}: {t.name} shape", list(t.shape) == list(s.shape))
        try:
            want = decode(s)
        except NotImplementedError:
            continue        # a type that the package cannot decode
        check(f"{src.name}: {t.name}", same(decode(t), want))


def gguf_quantized(src, tmp, kind):
    """gguf's decoder and ours see the same in what our quantizer wrote."""
    q, out = tmp / "q.gguf", tmp / "q-f32.gguf"
    pipe(tmp / "log", ["apr-cat", src], ["apr-quant", "-q", kind], ["apr-pack", "-f", q])
    pipe(tmp / "log", ["apr-cat", q], ["apr-dequant", "-q"], ["apr-pack", "-f", out])
    ours = {t.name: t for t in gguf.GGUFReader(out).tensors}
    reader = gguf.GGUFReader(q)
    types = {t.tensor_type.name.lower() for t in reader.tensors}
    check(f"{src.name} to {kind}: {types}", kind in types)
    for t in reader.tensors:
        check(f"{src.name} to {kind}: {t.name}", same(decode(ours[t.name]), decode(t)))


def gguf_bytes(src, tmp):
    """Unchanged is unchanged."""
    out = tmp / "same.gguf"
    pipe(tmp / "log", ["apr-cat", src], ["apr-pack", "-f", out])
    check(f"{src.name}: bytes", out.read_bytes() == src.read_bytes())


def stream(src, tmp, *stages):
    """tarfile reads a stream, and its CHECKSUMS hold."""
    out = tmp / "stream.tar"
    pipe(out, ["apr-cat", src], *stages)
    sums, names, checksums = {}, [], b""
    with tarfile.open(out, "r:", errorlevel=2) as tar:
        for m in tar:
            check(f"{src.name}: {m.name} is a plain member",
                  m.isreg() and m.mode == 0o644 and m.mtime == m.uid == m.gid == 0
                  and not m.uname and not m.gname)
            data = tar.extractfile(m).read()
            check(f"{src.name}: {m.name} length", len(data) == m.size)
            names.append(m.name)
            if m.name == "CHECKSUMS":
                checksums = data
            else:
                sums[m.name] = xxhash.xxh3_128_hexdigest(data)
    check(f"{src.name}: first and last member",
          names[0] == "manifest.json" and names[-1] == "CHECKSUMS" and len(set(names)) == len(names))
    lines = [re.fullmatch(r"([0-9a-f]{32})  (.+)", line) for line in checksums.decode("ascii").splitlines()]
    check(f"{src.name}: CHECKSUMS is lines of sums", all(lines) and checksums.endswith(b"\n"))
    check(f"{src.name}: CHECKSUMS", {m[2]: m[1] for m in lines} == sums and len(lines) == len(sums))


def main():
    have = FIXTURES.is_dir()
    sample = ROOT / "examples" / "sample"
    with tempfile.TemporaryDirectory() as d:
        tmp = Path(d)
        dirs = [sample] if (sample / "config.json").exists() else []
        if have:
            dirs += sorted(p for p in (FIXTURES / "hf").iterdir() if (p / "config.json").exists())
        for src in dirs:
            safetensors_from_directory(src, tmp)
            stream(src, tmp)
            stream(src, tmp, ["apr-quant", "-q", "q8_0"])
        if have:
            files = sorted(p for p in (FIXTURES / "gguf").glob("llama3.*.gguf") if "imatrix" not in p.name)
            for src in files:
                gguf_bytes(src, tmp)
                gguf_from_gguf(src, tmp)
            stream(files[0], tmp)
            for kind in ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k",
                         "iq4_nl", "iq4_xs", "mxfp4", "tq1_0", "tq2_0", "f16", "bf16"):
                gguf_quantized(FIXTURES / "gguf" / "llama3.bf16.gguf", tmp, kind)
            for src in sorted((FIXTURES / "apr").glob("*.apr")):
                stream(src, tmp)
    check("there was something to read", dirs or have)
    print(f"read_outputs: {checks} checks held" + ("" if have else f"; no fixtures at {FIXTURES}"))
    return 0 if have or not os.environ.get("APR_ENFORCE") else 1


if __name__ == "__main__":
    sys.exit(main())
