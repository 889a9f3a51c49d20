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
