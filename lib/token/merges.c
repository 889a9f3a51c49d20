/* SPDX-License-Identifier: MIT */
/*
 * merges.c -- SentencePiece merges the neighbours whose joined piece has the
 * best score, tokenizer.json's BPE the pair of the lowest rank: one from the
 * other.
 */
#include <stdlib.h>
#include <string.h>

#include "token.h"

int
vocab_check_merges(const struct vocab *v, const char *name, struct err *e)
{
	for (size_t i = 0; i < v->nmerge; i++) {
		const struct vocab_merge *m = &v->merge[i];
		const char *p = (const char *)v->text.p + m->at;

		if (vocab_find(v, p, m->left) < 0 || vocab_find(v, p + m->left, m->right) < 0 ||
		    vocab_find(v, p, (size_t)m->left + m->right) < 0)
			return err_set(e, "%s: merge %zu, %.*s and %.*s, has parts or a result that"
			    " are no tokens", name, i, m->left, p, m->right, p + m->left);
	}
	return 0;
}

int
vocab_rank(struct vocab *v, struct err *e)
{
	for (size_t i = 0; i < v->ntoken; i++)
		v->token[i].score = -(float)v->nmerge;
	/* Several merges may make one piece: the first decides. */
	for (size_t i = v->nmerge; i-- > 0; ) {
		const struct vocab_merge *m = &v->merge[i];
		const char *s = (const char *)v->text.p + m->at;
		int32_t id = vocab_find(v, s, (size_t)m->left + m->right);

		if (id < 0)
			return err_set(e, "merge %zu makes %.*s, which is no token", i,
			    m->left + m->right, s);
		v->token[id].score = -(float)i;
	}
	for (size_t i = 0; i < v->ntoken; i++)
		if (v->token[i].type != VOCAB_NORMAL)
			v->token[i].score = 0;
	v->scores = true;
	return 0;
}

/* One way to make a piece of two. */
struct pair {
	float		 score;
	uint32_t	 whole;		/* id */
	uint16_t	 nl, nr;	/* bytes of the parts */
};

/* Best first; then the longer parts, as transformers' conversion has them. */
static int
by_score(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->nl != y->nl)
		return x->nl > y->nl ? -1 : 1;
	if (x->nr != y->nr)
		return x->nr > y->nr ? -1 : 1;
	if (x->whole != y->whole)
		return x->whole < y->whole ? -1 : 1;
	return 0;
}

static bool
mergeable(const struct vocab *v, int32_t id)
{
	return id >= 0 && v->token[id].type == VOCAB_NORMAL;
}

int
vocab_split(const struct vocab *v, size_t id, size_t *at, int32_t *left, int32_t *right)
{
	const struct vocab_token *t = &v->token[id];
	const char *s = vocab_bytes(v, id);

	while (++*at < t->len) {
		if (((unsigned char)s[*at] & 0xc0) == 0x80)
			continue;	/* inside a character */
		*left = vocab_find(v, s, *at);
		if (!mergeable(v, *left))
			continue;
		*right = vocab_find(v, s + *at, t->len - *at);
		if (mergeable(v, *right))
			return 1;
	}
	return 0;
}

bool
vocab_is_user(const struct vocab *v, size_t id)
{
	const struct vocab_token *t = &v->token[id];
	size_t at = 0, chars = 0;
	int32_t left, right;

	if (t->type != VOCAB_NORMAL || t->score != 0 || !v->scores)
		return t->type == VOCAB_USER;
	for (size_t i = 0; i < t->len; i++)
		chars += (vocab_bytes(v, id)[i] & 0xc0) != 0x80;
	return chars > 1 && !vocab_split(v, id, &at, &left, &right);
}

int
vocab_merges(struct vocab *v, struct err *e)
{
	struct pair *p = NULL, *more;
	size_t n = 0, cap = 0;
	int r = 0;

	for (size_t id = 0; id < v->ntoken && r == 0; id++) {
		size_t at = 0;
		int32_t left, right;

		if (v->token[id].type != VOCAB_NORMAL)
			continue;
		while (vocab_split(v, id, &at, &left, &right)) {
			if (n == cap) {
				cap += cap / 2 + 4096;
				if (cap > 32 * (size_t)VOCAB_MAX || !(more = realloc(p, cap * sizeof *p))) {
					r = err_set(e, "out of memory for %zu merges", n);
					break;
				}
				p = more;
			}
			p[n++] = (struct pair){ v->token[id].score, (uint32_t)id,
			    (uint16_t)at, (uint16_t)(v->token[id].len - at) };
		}
	}
	if (r == 0 && n > 0)
		qsort(p, n, sizeof *p, by_score);
	for (size_t i = 0; i < n && r == 0; i++) {
		/* The two parts stand together already: in the piece. */
		const struct vocab_token *t = &v->token[p[i].whole];

		r = vocab_merge_at(v, t->at, p[i].nl, p[i].nr, e);
	}
	free(p);
	return r;
}
