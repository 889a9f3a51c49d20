/* SPDX-License-Identifier: MIT */
/*
 * encode.c -- text to ids: added tokens are cut out, the rest is normalized,
 * cut into pieces and merged.
 */
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "token.h"

int
ids_add(struct ids *i, int32_t id, struct err *e)
{
	if (array_room(&i->p, i->n, sizeof *i->p, e) < 0)
		return -1;
	i->p[i->n++] = id;
	return 0;
}

void
ids_release(struct ids *i)
{
	free(i->p);
	*i = (struct ids){ 0 };
}

uint64_t
table_hash(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = n * 0x9e3779b97f4a7c15, w;

	for (; n >= 8; n -= 8, s += 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0xbf58476d1ce4e5b9;
		h ^= h >> 29;
	}
	w = 0;
	memcpy(&w, s, n);
	h = (h ^ w) * 0x94d049bb133111eb;
	return h ^ h >> 32;
}

int
table_new(struct table *t, size_t n, struct err *e)
{
	size_t cap = 16;

	while (cap < 2 * n)
		cap *= 2;
	t->slot = malloc(cap * sizeof *t->slot);
	if (!t->slot)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < cap; i++)
		t->slot[i].id = -1;
	t->mask = cap - 1;
	return 0;
}

void
table_free(struct table *t)
{
	free(t->slot);
}

void
table_put(struct table *t, const void *p, size_t n, int32_t id)
{
	size_t i = table_hash(p, n) & t->mask;

	for (; t->slot[i].id >= 0; i = (i + 1) & t->mask)
		if (t->slot[i].n == n && !memcmp(t->slot[i].p, p, n))
			return;
	t->slot[i] = (struct entry){ p, (uint32_t)n, id };
}

int32_t
table_find(const struct table *t, const void *p, size_t n)
{
	for (size_t i = table_hash(p, n) & t->mask; t->slot[i].id >= 0; i = (i + 1) & t->mask)
		if (t->slot[i].n == n && !memcmp(t->slot[i].p, p, n))
			return t->slot[i].id;
	return -1;
}

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

struct encode {
	struct tokenizer *t;
	unsigned	 flags;
	struct ids	*ids;
};

static int
piece(void *ctx, const char *s, size_t n, struct err *e)
{
	struct encode *x = ctx;

	return merge_bpe(x->t, s, n, x->ids, e);
}

/* SentencePiece's blanks, and one before the text where the model has it. */
static int
low_lines(const struct vocab *v, const char *s, size_t n, struct buf *out, struct err *e)
{
	if (v->space_prefix != 0)
		buf_str(out, LOW_LINE);
	for (size_t i = 0, from = 0; i <= n; i++)
		if (i == n || s[i] == ' ') {
			buf_put(out, s + from, i - from);
			if (i < n)
				buf_str(out, LOW_LINE);
			from = i + 1;
		}
	return buf_check(out, e);
}

/* Text between added tokens. */
static int
stretch(struct encode *x, const char *s, size_t n, struct err *e)
{
	const struct vocab *v = x->t->v;
	struct buf form = { 0 }, low = { 0 };
	int r;

	if (n == 0)
		return 0;
	if (v->kind == VOCAB_BPE && v->norm == 0)
		return cutter_run(x->t->cutter, s, n, piece, x, e);
	if ((r = normal_form(v, s, n, &form, e)) == 0) {
		if (v->kind == VOCAB_BPE)
			r = cutter_run(x->t->cutter, (char *)form.p, form.len, piece, x, e);
		else if ((r = low_lines(v, (char *)form.p, form.len, &low, e)) == 0)
			r = v->kind == VOCAB_SPM ? merge_spm(x->t, (char *)low.p, low.len, x->ids, e) :
			    merge_unigram(x->t, (char *)low.p, low.len, x->ids, e);
	}
	buf_release(&form);
	buf_release(&low);
	return r;
}

static bool
blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
word_char(const char *s, size_t i, size_t n)
{
	unsigned char c = (unsigned char)(i < n ? s[i] : ' ');

	return c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* The added token that begins at s[i], the longest, or -1. */
static int32_t
added_at(const struct encode *x, const char *s, size_t i, size_t n)
{
	const struct tokenizer *t = x->t;

	if (!t->begins[(unsigned char)s[i]])
		return -1;
	for (size_t k = 0; k < t->nadded; k++) {
		const struct vocab_token *a = &t->v->token[t->added[k]];

		if (a->len > n - i || memcmp(s + i, t->v->text.p + a->at, a->len))
			continue;
		if ((x->flags & TOKEN_NO_SPECIAL) && ((a->flags & VOCAB_SPECIAL) ||
		    a->type == VOCAB_CONTROL || a->type == VOCAB_UNKNOWN))
			continue;
		if ((a->flags & VOCAB_WORD) && ((i > 0 && word_char(s, i - 1, n)) ||
		    word_char(s, i + a->len, n)))
			continue;
		return t->added[k];
	}
	return -1;
}

static int
with_added(struct encode *x, const char *s, size_t n, struct err *e)
{
	size_t from = 0;

	for (size_t i = 0; i < n; ) {
		int32_t id = added_at(x, s, i, n);
		const struct vocab_token *a;
		size_t begin = i;

		if (id < 0) {
			i++;
			continue;
		}
		a = &x->t->v->token[id];
		while ((a->flags & VOCAB_LSTRIP) && begin > from && blank(s[begin - 1]))
			begin--;
		if (stretch(x, s + from, begin - from, e) < 0 || ids_add(x->ids, id, e) < 0)
			return -1;
		i += a->len;
		while ((a->flags & VOCAB_RSTRIP) && i < n && blank(s[i]))
			i++;
		from = i;
	}
	return stretch(x, s + from, n - from, e);
}

int
tokenizer_encode(struct tokenizer *t, const char *text, size_t n, unsigned flags,
    struct ids *ids, struct err *e)
{
	struct encode x = { t, flags, ids };
	const struct vocab *v = t->v;
	struct buf clean = { 0 };
	bool bos = v->add_bos > 0 || (v->add_bos < 0 && (v->kind == VOCAB_SPM ||
	    (v->pre && v->pre->bos)));
	int r = 0;

	if (!(flags & TOKEN_NO_BOS) && bos && v->id[VOCAB_BOS] >= 0)
		r = ids_add(ids, v->id[VOCAB_BOS], e);
	if (r == 0) {
		if (n == 0 || utf8_valid(text, n)) {
			r = with_added(&x, n ? text : "", n, e);
		} else if ((r = normal_utf8(text, n, &clean, e)) == 0) {
			r = with_added(&x, (char *)clean.p, clean.len, e);
		}
	}
	if (r == 0 && !(flags & TOKEN_NO_BOS) && v->add_eos > 0 && v->id[VOCAB_EOS] >= 0)
		r = ids_add(ids, v->id[VOCAB_EOS], e);
	buf_release(&clean);
	return r;
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
