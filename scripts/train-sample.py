#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make examples/sample: a small Llama-type model that adds and continues patterns.

  train-sample.py                      write the corpus, train, save, evaluate
  train-sample.py --eval               evaluate the committed model (transformers)
  train-sample.py --corpus DIR         only write DIR/{corpus.txt,questions.jsonl,heldout.txt}
  train-sample.py --corpus DIR --check ... and fail unless they equal the committed ones

The corpus modes need Python's standard library alone: every byte follows from
SEED.  Training and --eval need the packages pinned in oracle-requirements.txt
(python3 -m venv VENV && VENV/bin/pip install -r scripts/oracle-requirements.txt).
Training was run once and its result committed; another processor or another
version of PyTorch gives other weights from the same seed.
"""

import argparse
import json
import math
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

SEED = 20240
SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "sample"

# The corpus: lines, each of one kind.
QUESTIONS = 100  # sums asked in questions.jsonl; neither a+b nor b+a is in the corpus
HELD_SUMS, HELD_OTHER = 180, 45  # lines of heldout.txt
SUM_REPEATS = 4  # times each other sum occurs in the corpus
OTHER_LINES = 9000  # lines of the other kinds

DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = ("january february march april may june july august september "
          "october november december").split()
NUMBERS = ("one two three four five six seven eight nine ten eleven twelve thirteen "
           "fourteen fifteen sixteen seventeen eighteen nineteen twenty").split()
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
FIXED = [
    "the quick brown fox jumps over the lazy dog.",
    "to be or not to be, that is the question.",
    "once upon a time there was a small model that could add two numbers.",
    "all good things come to those who wait.",
]
ADJECTIVES = "big small red green blue old young happy sad quiet clever white".split()
NOUNS = "cat dog horse bird fish farmer teacher king queen child robot mouse".split()
VERBS = "sees likes helps follows finds hears calls meets knows thanks".split()
PLACES = "house garden river forest market school bridge mountain".split()

# Continuations that --eval checks, besides the sums.
PATTERNS = [
    ("a b c d e", " f g h"),
    ("k l m n", " o p q r"),
    ("monday tuesday wednesday", " thursday friday"),
    ("january february march", " april may"),
    ("one two three four", " five six seven"),
    ("1 2 3 4 5", " 6 7 8"),
    ("20 19 18", " 17 16 15"),
    ("the quick brown fox", " jumps over the lazy dog.\n"),
    ("to be or not to be,", " that is the question.\n"),
    ("once upon a time", " there was a small model that could add two numbers.\n"),
]


def windows(items, least, most, cyclic):
    """All runs of LEAST to MOST neighbours in ITEMS, as lines."""
    lines = []
    for start in range(len(items)):
        for n in range(least, most + 1):
            if cyclic or start + n <= len(items):
                lines.append(" ".join(items[(start + i) % len(items)] for i in range(n)))
    return lines


def make_texts():
    """The corpus's lines, the questions and the held-out text's lines."""
    rng = random.Random(SEED)

    # Questions have a >= 10: "2+7=" would also be inside "12+7=".
    pairs = [(a, b) for a in range(10, 100) for b in range(100)]
    rng.shuffle(pairs)
    seen, picked = set(), []
    for a, b in pairs:
        if (b, a) not in seen:
            seen.add((a, b))
            picked.append((a, b))
        if len(picked) == QUESTIONS + HELD_SUMS:
            break
    asked, held = picked[:QUESTIONS], picked[QUESTIONS:]
    away = {p for a, b in picked for p in ((a, b), (b, a))}
    sums = [f"{a}+{b}={a + b}" for a in range(100) for b in range(100) if (a, b) not in away]
    questions = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a, b in asked]

    counts = [str(n) for n in range(100)]
    kinds = [
        windows(LETTERS, 8, 14, False),
        windows(DAYS, 5, 10, True),
        windows(MONTHS, 5, 10, True),
        windows(NUMBERS, 7, 10, False),
        windows(counts, 8, 12, False),
        windows(counts[::-1], 8, 12, False),
        sorted({f"the {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} {rng.choice(VERBS)} "
                f"the {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} "
                f"{rng.choice(['in', 'near', 'behind'])} the {rng.choice(PLACES)}."
                for _ in range(4000)}),
    ]
    heldout = [f"{a}+{b}={a + b}" for a, b in held]
    for i, kind in enumerate(kinds):
        rng.shuffle(kind)
        n = HELD_OTHER * (i + 1) // len(kinds) - HELD_OTHER * i // len(kinds)
        heldout += kind[:n]
        del kind[:n]
    kinds.append(FIXED)  # known by heart, so never held out

    corpus = sums * SUM_REPEATS
    corpus += [rng.choice(rng.choice(kinds)) for _ in range(OTHER_LINES)]
    rng.shuffle(corpus)
    rng.shuffle(heldout)
    return corpus, questions, heldout


def write_texts(folder, corpus, questions, heldout):
    text = "".join(line + "\n" for line in corpus)
    for q in questions:
        assert q["prompt"] not in text and q["prompt"] not in "\n".join(heldout), q
    known = set(corpus)
    assert not [line for line in heldout if line in known]
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "corpus.txt": text,
        "questions.jsonl": "".join(json.dumps(q) + "\n" for q in questions),
        "heldout.txt": "".join(line + "\n" for line in heldout),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content.encode("ascii"))


# Tokenizer: byte-level BPE, digits one by one; no token is put before a prompt.
VOCAB = 512
END = "<|endoftext|>"


def make_tokenizer(corpus_file, folder):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    tok.decoder = decoders.ByteLevel()
    tok.train([str(corpus_file)], trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=[END], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    assert tok.get_vocab_size() == VOCAB, tok.get_vocab_size()
    tok.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "add_bos_token": False, "add_prefix_space": False, "bos_token": END,
        "clean_up_tokenization_spaces": False, "eos_token": END,
        "model_max_length": CONTEXT, "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": END}, indent=2) + "\n")
    return tok


# Model and training.
CONTEXT = 256
SHAPE = dict(vocab_size=VOCAB, hidden_size=256, intermediate_size=512, num_hidden_layers=4,
             num_attention_heads=4, num_key_value_heads=2, head_dim=64,
             max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, tie_word_embeddings=True,
             bos_token_id=0, eos_token_id=0, initializer_range=0.04)
THETA = 10000.0
STEPS, WARMUP, PEAK, BATCH = 4000, 150, 2e-3, 2048  # BATCH in tokens
LONG_EVERY = 8  # every so many steps the rows are CONTEXT long, else SHORT
SHORT = 64


def rows(lines, length, rng):
    """Endless rows of LENGTH tokens that begin with a line, half of them after END."""
    while True:
        order = list(range(len(lines)))
        rng.shuffle(order)
        row = []
        for i in order:
            if not row and rng.random() < 0.5:
                row = [0]
            row = row + lines[i]
            if len(row) >= length:
                yield row[:length]
                row = []


def train(folder):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    corpus, questions, heldout = make_texts()
    with tempfile.TemporaryDirectory() as tmp:
        write_texts(Path(tmp), corpus, questions, heldout)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("questions.jsonl", "heldout.txt"):
            shutil.copyfile(Path(tmp, name), folder / name)
        tok = make_tokenizer(Path(tmp, "corpus.txt"), folder)
    lines = [tok.encode(line + "\n").ids for line in corpus]
    print(len(corpus), "lines,", sum(map(len, lines)), "tokens", flush=True)

    rng = random.Random(SEED + 1)
    short, long = rows(lines, SHORT, rng), rows(lines, CONTEXT, rng)
    model = LlamaForCausalLM(LlamaConfig(
        **SHAPE, rope_parameters={"rope_type": "default", "rope_theta": THETA}))
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    wide = [p for p in model.parameters() if p.dim() > 1]
    norms = [p for p in model.parameters() if p.dim() == 1]
    opt = torch.optim.AdamW([{"params": wide, "weight_decay": 0.1},
                             {"params": norms, "weight_decay": 0.0}], betas=(0.9, 0.98))
    model.train()
    began, mean = time.time(), None
    for step in range(1, STEPS + 1):
        lr = PEAK * min(step / WARMUP, 0.5 + 0.5 * math.cos(math.pi * step / STEPS))
        for group in opt.param_groups:
            group["lr"] = lr
        source, length = (long, CONTEXT) if step % LONG_EVERY == 0 else (short, SHORT)
        ids = torch.tensor([next(source) for _ in range(BATCH // length)])
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"step {step} loss {mean:.4f} lr {lr:.2e} {time.time() - began:.0f}s", flush=True)
        if step % 500 == 0:  # progress on the held-out text's sums, not on the questions
            model.eval()
            held = [line.partition("=") for line in heldout if "=" in line]
            right = sum(answer(model, tok, a + "=") == c for a, _, c in held)
            print(f"step {step}: {right} of {len(held)} sums of heldout.txt", flush=True)
            model.train()

    model.to(torch.float16).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config.update(rope_theta=THETA, torch_dtype="float16")  # the names older readers know
    (folder / "model.safetensors").chmod(0o644)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    print(f"saved after {time.time() - began:.0f}s", flush=True)


def answer(model, tok, prompt, limit=6):
    """The greedy continuation of PROMPT up to the end of its line."""
    import torch

    ids = tok.encode(prompt)
    ids = getattr(ids, "ids", ids)
    out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                         max_new_tokens=limit, do_sample=False, pad_token_id=0)
    return tok.decode(out[0, len(ids):].tolist()).partition("\n")[0]


def evaluate(folder):
    """Ask the saved model, widened to float32, everything; True if all is right."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    torch.set_num_threads(2)
    tok = AutoTokenizer.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    questions = [json.loads(q) for q in (folder / "questions.jsonl").read_text().splitlines()]
    right = 0
    for q in questions:
        got = answer(model, tok, q["prompt"])
        right += got == q["answer"]
        if got != q["answer"]:
            print(f"wrong: {q['prompt']}{got}, not {q['answer']}")
    print(f"questions: {right} of {len(questions)}")
    good = 0
    for prompt, want in PATTERNS:
        got = answer(model, tok, prompt, 40) + "\n"
        good += got.startswith(want)
        print(f"{prompt!r} -> {got!r}{'' if got.startswith(want) else '  WRONG'}")
    print(f"patterns: {good} of {len(PATTERNS)}")

    ids = tok.encode((folder / "heldout.txt").read_text(), verbose=False)
    total = count = 0
    for i in range(0, len(ids), CONTEXT):  # non-overlapping windows
        part = torch.tensor([ids[i:i + CONTEXT]])
        if part.shape[1] > 1:
            with torch.no_grad():
                total += model(part, labels=part).loss.item() * (part.shape[1] - 1)
            count += part.shape[1] - 1
    print(f"heldout.txt: {len(ids)} tokens, loss {total / count:.4f}, "
          f"perplexity {math.exp(total / count):.3f} (windows of {CONTEXT})")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{size} bytes in all")
    return right == len(questions) and good == len(PATTERNS) and size <= 8 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", metavar="DIR", type=Path, help="only write the texts to DIR")
    parser.add_argument("--check", action="store_true", help="compare them with the committed ones")
    parser.add_argument("--eval", action="store_true", help="only evaluate the committed model")
    args = parser.parse_args()
    if args.check and not args.corpus:
        parser.error("--check goes with --corpus")
    if args.corpus:
        write_texts(args.corpus, *make_texts())
        for name in ("questions.jsonl", "heldout.txt") if args.check else ():
            if (args.corpus / name).read_bytes() != (SAMPLE / name).read_bytes():
                sys.exit(f"{name} differs from the committed one")
            print(f"{name}: as committed")
        return
    if not args.eval:
        train(SAMPLE)
    sys.exit(0 if evaluate(SAMPLE) else 1)


if __name__ == "__main__":
    main()
