/* SPDX-License-Identifier: MIT */
/*
 * vocab.h -- what the harnesses of tokenizers share: one hostile file of a
 * directory, written as everything that it can be; and what we wrote must be
 * a tokenizer to us, with the same tokens.
 */
#ifndef FUZZ_VOCAB_H
#define FUZZ_VOCAB_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>
#include <apr/token.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static inline int
fuzz_append(void *ctx, const void *p, size_t n, struct err *e)
{
	buf_put(ctx, p, n);
	return buf_check(ctx, e);
}

static inline void
fuzz_fail(const char *what, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", what, e->msg);
	abort();
}

static inline void
fuzz_same(const struct vocab *a, struct vocab *b, int r, const struct err *e)
{
	if (r < 0)
		fuzz_fail("what we wrote", e);
	if (a->kind != b->kind || a->rows != b->rows)
		fuzz_fail("what we wrote is another tokenizer", e);
}

/* One value's length, from its type on, as gguf_put made it. */
static inline size_t
fuzz_value(const unsigned char *p)
{
	static const unsigned char size[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
	uint32_t type = le32_get(p);
	uint64_t n = 1;
	size_t at = 4;

	if (type == 9) {
		type = le32_get(p + 4);
		n = le64_get(p + 8);
		at = 16;
	}
	if (size[type])
		return at + n * size[type];
	while (n--)
		at += 8 + le64_get(p + at);
	return at;
}

static inline void
fuzz_gguf(struct vocab *v)
{
	struct vocab_kv kv[64];
	struct buf out = { 0 };
	struct err e = { "" };
	struct vocab *again = vocab_new(&e);
	uint64_t nkv = 0;
	char *key[64];
	size_t n = 0;

	if (again && vocab_put_gguf(v, &out, &nkv, NULL, NULL, &e) == 0 && nkv < 64) {
		for (const unsigned char *p = out.p; n < nkv; n++) {
			size_t len = le64_get(p);

			key[n] = strndup((const char *)p + 8, len);
			p += 8 + len;
			kv[n] = (struct vocab_kv){ key[n], p, fuzz_value(p) };
			p += kv[n].n;
		}
		fuzz_same(v, again, vocab_from_gguf(again, kv, n, &e), &e);
		while (n-- > 0)
			free(key[n]);
	}
	vocab_free(again);
	buf_release(&out);
}

static inline void
fuzz_apr(struct vocab *v)
{
	struct buf out = { 0 };
	struct err e = { "" };
	struct vocab *again = vocab_new(&e);

	buf_str(&out, "{\"model_type\":\"\"");
	if (again && vocab_put_apr(v, &out, &e) == 0) {
		buf_str(&out, "}");
		fuzz_same(v, again, vocab_from_apr(again, out.p, out.len, &e), &e);
	}
	vocab_free(again);
	buf_release(&out);
}

static inline void
fuzz_dir(struct vocab *v)
{
	struct vocab_file file[8];
	struct buf bytes[8] = { { 0 } };
	struct err e = { "" };
	struct vocab *again = vocab_new(&e);
	const char *name;
	size_t n = 0;
	int r = 0;

	for (; r == 0 && (name = vocab_file_name(v, n)); n++) {
		r = vocab_put_file(v, name, fuzz_append, &bytes[n], &e);
		file[n] = (struct vocab_file){ name, bytes[n].p, bytes[n].len };
	}
	if (again && r == 0 && vocab_from_hf(again, file, n, VOCAB_FAMILY_LLAMA, v->rows,
	    &e) < 0)
		fuzz_fail("the directory", &e);
	vocab_free(again);
	for (size_t i = 0; i < 8; i++)
		buf_release(&bytes[i]);
}

/* Text to ids of the list, and these back to text. */
static inline void
fuzz_text(const struct vocab *v)
{
	static const char text[] = "The <s>unk</s> a  b\n\n<unk>\xe2\x96\x81h\xc3\xa9 12,345\xff "
	    "\xe4\xb8\xad<0x0A> [PAD3]aaaa ";
	struct err e = { "" };
	struct tokenizer *t = tokenizer_new(v, &e);
	struct detokenizer *d = t ? detokenizer_new(t, DETOKEN_BEGIN, &e) : NULL;
	struct ids ids = { 0 };
	struct buf out = { 0 };

	if (d && (tokenizer_encode(t, text, sizeof text - 1, 0, &ids, &e) < 0))
		fuzz_fail("a text", &e);
	for (size_t i = 0; d && i < ids.n; i++)
		if (ids.p[i] < 0 || ids.p[i] >= (int32_t)v->rows ||
		    detokenizer_put(d, ids.p[i], &out, &e) < 0)
			fuzz_fail("an id", &e);
	if (d && (detokenizer_end(d, &out, &e) < 0 || !utf8_valid(out.p, out.len)))
		fuzz_fail("the text of ids", &e);
	detokenizer_free(d);
	tokenizer_free(t);
	ids_release(&ids);
	buf_release(&out);
}

static inline int
fuzz_vocab(const char *name, enum vocab_family family, const uint8_t *data, size_t size)
{
	struct vocab_file file = { name, data, size };
	struct err e = { "" };
	struct vocab *v = vocab_new(&e);

	/* A million rows of padding are for time, not for faults. */
	if (v && vocab_from_hf(v, &file, 1, family, 0, &e) == 0 && v->rows <= 1 << 14) {
		fuzz_text(v);
		fuzz_gguf(v);
		fuzz_dir(v);
		fuzz_apr(v);
	}
	if (e.msg[0] && strpbrk(e.msg, "\n\r\033"))
		abort();
	vocab_free(v);
	return 0;
}

#endif
