/* SPDX-License-Identifier: MIT */
/*
 * tokenizer.c -- a vocabulary made ready: every token's bytes, which of them
 * are cut out of a text, and what merges with what.
 */
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "token.h"

/* The alphabet of bytes: printable Latin 1 stands for itself, the others for
 * U+0100 and what follows. */
static int
byte_of(uint32_t c)
{
	int n = 0;

	if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255))
		return (int)c;
	for (int b = 0; b < 256; b++)
		if (!((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174)) {
			if (c == 256 + (uint32_t)n)
				return b;
			n++;
		}
	return -1;
}

/* A token of that alphabet as bytes; one that is not written in it as it
 * stands. */
static size_t
plain(const unsigned char *s, size_t n, unsigned char *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; ) {
		size_t len = utf8_len(s + i, n - i);
		uint32_t c = len == 1 ? s[i] : len == 2 ? (uint32_t)(s[i] & 31) << 6 | (s[i + 1] & 63) :
		    0xffffff;
		int b = byte_of(c);

		if (b < 0) {
			memcpy(out, s, n);
			return n;
		}
		out[k++] = (unsigned char)b;
		i += len;
	}
	return k;
}

/* Every token's own bytes of text. */
static int
decode_all(struct tokenizer *t, struct err *e)
{
	const struct vocab *v = t->v;

	t->out_at = arena_alloc(&t->arena, (v->ntoken + 1) * sizeof *t->out_at);
	t->out = arena_alloc(&t->arena, v->text.len + 1);
	if (!t->out_at || !t->out)
		return err_set(e, "out of memory");
	for (size_t i = 0, at = 0; i < v->ntoken; i++) {
		const unsigned char *s = v->text.p + v->token[i].at;
		size_t n = v->token[i].type ? v->token[i].len : 0;

		/* Two ids may share their text, but no more than there is. */
		if (at + n > v->text.len)
			return err_set(e, "tokens are longer than their text");
		if (v->kind == VOCAB_BPE && !(v->token[i].flags & VOCAB_ADDED)) {
			n = plain(s, n, t->out + at);
		} else if (n) {
			memcpy(t->out + at, s, n);
		}
		at += n;
		t->out_at[i + 1] = (uint32_t)at;
	}
	return 0;
}

static int
by_length(const void *a, const void *b, void *ctx)
{
	const struct vocab *v = ctx;
	const struct vocab_token *x = &v->token[*(const int32_t *)a], *y = &v->token[*(const int32_t *)b];

	if (x->len != y->len)
		return x->len < y->len ? 1 : -1;
	return *(const int32_t *)a - *(const int32_t *)b;
}

/* GGUF says it by type, and of SentencePiece's own by what is missing. */
static bool
is_added(const struct vocab *v, size_t i)
{
	return (v->token[i].flags & VOCAB_ADDED) || v->token[i].type == VOCAB_CONTROL ||
	    v->token[i].type == VOCAB_UNKNOWN || vocab_is_user(v, i);
}

static int
index_tokens(struct tokenizer *t, struct err *e)
{
	const struct vocab *v = t->v;

	if (table_new(&t->tokens, v->ntoken, e) < 0 || decode_all(t, e) < 0)
		return -1;
	if (!(t->added = arena_alloc(&t->arena, (v->ntoken + 1) * sizeof *t->added)))
		return err_set(e, "out of memory");
	for (int i = 0; i < 256; i++)
		t->byte[i] = -1;
	for (size_t i = 0; i < v->ntoken; i++) {
		const struct vocab_token *k = &v->token[i];
		const unsigned char *p = t->out + t->out_at[i];
		size_t n = t->out_at[i + 1] - t->out_at[i];
		int b;

		if (k->type == 0 || n == 0)
			continue;
		if (is_added(v, i)) {
			t->added[t->nadded++] = (int32_t)i;
			t->begins[p[0]] = true;
		}
		if (v->kind == VOCAB_BPE) {
			if (n == 1 && t->byte[*p] < 0 && !(k->flags & VOCAB_ADDED))
				t->byte[*p] = (int32_t)i;
		} else if (k->type == VOCAB_BYTE || v->byte_fallback) {
			if ((b = vocab_byte((const char *)p, n)) >= 0)
				t->byte[b] = (int32_t)i;
		}
		/* Control tokens come from no merge. */
		if (k->type == VOCAB_CONTROL || k->type == VOCAB_UNUSED || k->type == VOCAB_BYTE)
			continue;
		table_put(&t->tokens, p, n, (int32_t)i);
		if (n > t->longest)
			t->longest = n;
		if (k->score < t->lowest)
			t->lowest = k->score;
	}
	qsort_r(t->added, t->nadded, sizeof *t->added, by_length, (void *)(uintptr_t)v);
	t->unk = vocab_unknown(v);
	return 0;
}

static int
index_merges(struct tokenizer *t, struct err *e)
{
	const struct vocab *v = t->v;
	struct table named = { 0 };
	size_t cap = 16;

	if (v->nmerge == 0)
		return 0;
	while (cap < 2 * v->nmerge)
		cap *= 2;
	if (!(t->pairs.slot = arena_alloc(&t->arena, cap * sizeof *t->pairs.slot)))
		return err_set(e, "out of memory");
	if (table_new(&named, v->ntoken, e) < 0)
		return -1;
	for (size_t i = 0; i < v->ntoken; i++)
		if (v->token[i].type && v->token[i].len)
			table_put(&named, v->text.p + v->token[i].at, v->token[i].len, (int32_t)i);
	t->pairs.mask = cap - 1;
	for (size_t i = 0; i < cap; i++)
		t->pairs.slot[i].left = -1;
	for (size_t i = 0; i < v->nmerge; i++) {
		const struct vocab_merge *m = &v->merge[i];
		const unsigned char *p = v->text.p + m->at;
		int32_t a = table_find(&named, p, m->left), b = table_find(&named, p + m->left, m->right);
		int32_t id = table_find(&named, p, (size_t)m->left + m->right);
		size_t at;

		if (a < 0 || b < 0 || id < 0)
			continue;	/* never comes to pass */
		at = (((uint64_t)(uint32_t)a << 32 | (uint32_t)b) * 0x9e3779b97f4a7c15 >> 20) &
		    t->pairs.mask;
		while (t->pairs.slot[at].left >= 0 &&
		    (t->pairs.slot[at].left != a || t->pairs.slot[at].right != b))
			at = (at + 1) & t->pairs.mask;
		if (t->pairs.slot[at].left < 0)
			t->pairs.slot[at] = (struct pair){ a, b, id, (uint32_t)i };
	}
	table_free(&named);
	return 0;
}

/* Is there a blank behind something else? */
static bool
over_end(const unsigned char *p, size_t n)
{
	bool other = false;

	for (size_t i = 0; i < n; ) {
		if (n - i >= 3 && !memcmp(p + i, LOW_LINE, 3)) {
			if (other)
				return true;
			i += 3;
			continue;
		}
		other = true;
		i++;
	}
	return false;
}

/* May each word (SentencePiece's, blanks first) be merged by itself? */
static bool
by_words(const struct tokenizer *t)
{
	const struct vocab *v = t->v;

	for (size_t i = 0; i < v->nmerge; i++)
		if (over_end(v->text.p + v->merge[i].at, (size_t)v->merge[i].left + v->merge[i].right))
			return false;
	for (size_t i = 0; i <= t->tokens.mask && v->nmerge == 0; i++)
		if (t->tokens.slot[i].id >= 0 && over_end(t->tokens.slot[i].p, t->tokens.slot[i].n))
			return false;
	return true;
}

struct tokenizer *
tokenizer_new(const struct vocab *v, struct err *e)
{
	struct tokenizer *t = calloc(1, sizeof *t);

	if (!t) {
		err_set(e, "out of memory");
		return NULL;
	}
	t->v = v;
	if (v->kind == VOCAB_NONE || v->ntoken == 0) {
		err_set(e, "there is no tokenizer");
		goto bad;
	}
	if (v->kind == VOCAB_BPE && !v->pre) {
		err_set(e, "the pre-tokenizer %s is not known", v->pre_why ? v->pre_why :
		    v->pre_name ? v->pre_name : "(none)");
		goto bad;
	}
	if (v->charsmap) {
		err_set(e, "a normalizer with a compiled map of characters is not supported");
		goto bad;
	}
	if (index_tokens(t, e) < 0 || index_merges(t, e) < 0 || !(t->memory = memory_new(e)) ||
	    (v->kind == VOCAB_BPE && !(t->cutter = cutter_new(v->pre, e))))
		goto bad;
	t->words = v->kind == VOCAB_SPM && by_words(t);
	return t;
bad:
	tokenizer_free(t);
	return NULL;
}

void
tokenizer_free(struct tokenizer *t)
{
	if (!t)
		return;
	table_free(&t->tokens);
	cutter_free(t->cutter);
	memory_free(t->memory);
	arena_release(&t->arena);
	free(t);
}

int32_t
tokenizer_bos(const struct tokenizer *t)
{
	return t->v->id[VOCAB_BOS];
}

int32_t
tokenizer_eos(const struct tokenizer *t)
{
	return t->v->id[VOCAB_EOS];
}

int32_t
tokenizer_find(const struct tokenizer *t, const char *s, size_t n)
{
	for (size_t i = 0; i < t->v->ntoken; i++)
		if (t->v->token[i].type && t->v->token[i].len == n &&
		    !memcmp(t->v->text.p + t->v->token[i].at, s, n))
			return (int32_t)i;
	return -1;
}

bool
tokenizer_ends(const struct tokenizer *t, int32_t id)
{
	static const char *const turns[] = {
		"<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "</s>",
		"<|end_of_text|>", "<|eom_id|>", "<eos>",
	};
	const struct vocab *v = t->v;

	if (id < 0 || (size_t)id >= v->ntoken)
		return false;
	if (id == v->id[VOCAB_EOS] || id == v->id[VOCAB_EOT] || id == v->id[VOCAB_EOM])
		return true;
	if (v->token[id].type != VOCAB_CONTROL && !(v->token[id].flags & VOCAB_SPECIAL))
		return false;
	for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
		if (strlen(turns[i]) == v->token[id].len &&
		    !memcmp(v->text.p + v->token[id].at, turns[i], v->token[id].len))
			return true;
	return false;
}
