#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tokenizers that we wrote, given to Hugging Face's tokenizers and to
SentencePiece: the ids must be those of the models' own tokenizers.

 * every model's GGUF, as a directory: the ids in ref/NAME.json, of each text;
 * its .apr metadata, as a directory: the same;
 * real vocabularies (vocab/*.gguf): llama.cpp's own ids of its test strings,
   from tokenizer.json, and from tokenizer.model where there is one;
 * vocabularies trained here: unigram and BPE, through GGUF's keys and back.

Needs the packages tokenizers and sentencepiece, $APR_BUILD/test/vocab, and
the fixtures (see read_outputs.py).
"""

import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(os.environ.get("APR_FIXTURES") or ROOT.parent / "shared" / "fixtures")
BUILD = Path(os.environ.get("APR_BUILD") or ROOT / "build")
FAMILY = {"gemma2": "gemma", "gemma3": "gemma3", "phi3": "phi3", "qwen2": "qwen",
          "qwen2-odd": "qwen", "qwen3": "qwen", "qwen3-5": "bpe", "qwen3-moe": "bpe",
          "gpt2": "bpe", "olmo2": "bpe"}
checks = 0


def check(what, ok):
    global checks
    checks += 1
    if not ok:
        sys.exit(f"tokenizers_ids: {what}")


def vocab(*args, out=None):
    r = subprocess.run([BUILD / "test" / "vocab", *map(str, args)], stdout=out or subprocess.DEVNULL,
                       stderr=subprocess.PIPE)
    check(f"vocab {args}: {r.stderr.decode()}", r.returncode == 0)


def same_ids(name, path):
    """Every text, prompt and conversation of ref/NAME.json."""
    tok = Tokenizer.from_file(str(path / "tokenizer.json"))
    ref = json.loads((FIXTURES / "ref" / f"{name}.json").read_text())
    for file, want in ref["tokens"].items():
        text = (FIXTURES / "text" / file).read_bytes().decode("utf-8", "replace")
        ids = tok.encode(text, add_special_tokens=False).ids
        check(f"{name}: {file}: {len(ids)} ids, {want['count']} are right",
              hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest() == want["sha256_le_i32"])
    for p in ref["prompts"]:
        check(f"{name}: {p['prompt']}", tok.encode(p["prompt"]).ids == p["prompt_ids"])
    for c in ref.get("chat", []):
        check(f"{name}: a chat", tok.encode(c["text"], add_special_tokens=False).ids == c["ids"])


def fixtures(tmp):
    n = 0
    for hf in sorted((FIXTURES / "hf").iterdir()):
        name = hf.name
        vocab("file", FIXTURES / "gguf" / f"{name}.q4_k_m.gguf", "dir", tmp / name)
        same_ids(name, tmp / name)
        with open(tmp / "meta", "wb") as f:
            vocab("hf:" + FAMILY.get(name, "llama"), hf, "apr", out=f)
        vocab("meta", tmp / "meta", "dir", tmp / f"{name}.apr")
        same_ids(name, tmp / f"{name}.apr")
        n += 1
    check(f"{n} models", n == 16)


def published(tmp):
    for name in ["llama-spm", "phi-3", "gpt-2", "starcoder", "falcon", "deepseek-coder"]:
        base = FIXTURES / "vocab" / f"ggml-vocab-{name}.gguf"
        vocab("file", base, "dir", tmp / name)
        texts = Path(f"{base}.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
        right = [[int(i) for i in line.split()] for line in Path(f"{base}.out").read_text().split("\n")]
        readers = [Tokenizer.from_file(str(tmp / name / "tokenizer.json"))]
        model = tmp / name / "tokenizer.model"
        if model.exists():
            readers.append(sentencepiece.SentencePieceProcessor(model_file=str(model)))
        for r in readers:
            for text, ids in zip(texts, right):
                got = (r.encode(text, add_special_tokens=False).ids if isinstance(r, Tokenizer)
                       else r.encode(text))
                check(f"{name}: {type(r).__name__}: {text!r} gives {got}, not {ids}", got == ids)


def texts():
    folder = FIXTURES / "text"
    return [(folder / f).read_text() for f in ("scripts.txt", "code.txt", "spaces.txt")] + \
        (folder / "wiki.test.raw").read_text()[:200000].split("\n")


def trained(tmp):
    """Unigram by tokenizers; unigram and BPE by SentencePiece."""
    lines = texts()
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Replace(" ", " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(lines, trainers.UnigramTrainer(
        vocab_size=900, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>"))
    (tmp / "u").mkdir()
    t.save(str(tmp / "u" / "tokenizer.json"))
    (tmp / "u" / "tokenizer_config.json").write_text('{"bos_token": "<s>", "eos_token": "</s>"}')
    vocab("hf:bpe", tmp / "u", "dir", tmp / "u2")
    with open(tmp / "meta", "wb") as f:
        vocab("hf:bpe", tmp / "u", "apr", out=f)
    vocab("meta", tmp / "meta", "dir", tmp / "u3")
    for again in ("u2", "u3"):
        other = Tokenizer.from_file(str(tmp / again / "tokenizer.json"))
        for line in lines:
            check(f"unigram: {line[:60]!r}", t.encode(line).ids == other.encode(line).ids)

    (tmp / "corpus").write_text("\n".join(lines))
    for kind in ("bpe", "unigram"):
        d = tmp / f"sp-{kind}"
        d.mkdir()
        sentencepiece.SentencePieceTrainer.train(
            input=str(tmp / "corpus"), model_prefix=str(d / "tokenizer"), vocab_size=1500,
            model_type=kind, byte_fallback=True, character_coverage=0.98,
            user_defined_symbols=["<tool>"], normalization_rule_name="identity",
            remove_extra_whitespaces=False, max_sentence_length=1 << 20, minloglevel=2)
        vocab("hf:llama", d, "dir", tmp / f"sp-{kind}2")
        a = sentencepiece.SentencePieceProcessor(model_file=str(d / "tokenizer.model"))
        b = sentencepiece.SentencePieceProcessor(
            model_file=str(tmp / f"sp-{kind}2" / "tokenizer.model"))
        c = Tokenizer.from_file(str(tmp / f"sp-{kind}2" / "tokenizer.json"))
        for line in lines + ["a <tool> b"]:
            ids = a.encode(line)
            check(f"SentencePiece {kind}: {line[:60]!r}", b.encode(line) == ids)
            # (Behind an added token, tokenizers puts a blank again; "<unk>" is one there.)
            if kind == "bpe" and line and not any(x in line for x in ("\n", "<unk>", "<tool>")):
                got = c.encode(line, add_special_tokens=False).ids
                check(f"tokenizers, from SentencePiece {kind}: {line[:60]!r}: {got}, not {ids}", got == ids)


def main():
    if not (FIXTURES / "vocab").is_dir():
        if os.environ.get("APR_ENFORCE", "0") == "1":
            sys.exit("tokenizers_ids: no fixtures")
        print("tokenizers_ids: no fixtures: nothing to compare")
        return
    with tempfile.TemporaryDirectory() as tmp:
        fixtures(Path(tmp))
        published(Path(tmp))
        trained(Path(tmp))
    print(f"tokenizers_ids: {checks} checks")


main()
