/* SPDX-License-Identifier: MIT */
/* diff_vocab.c -- two models' tokenizers: do ids mean the same? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/vocabulary.h>

#include "diff.h"

/* NULL: there is none, or it went by with a stream. */
static struct vocab *
read_vocab(struct source *s, const char *path)
{
	struct weights w = { .source = s, .m = source_manifest(s) };
	struct vocab *v;
	struct err e;

	if (source_stream(s))
		return NULL;
	if (!(w.file = calloc(w.m->nfile + 1, sizeof *w.file)))
		die("out of memory");
	if (!(v = vocab_new(&e)) || vocabulary_read(v, &w, &e) < 0)
		die("%s: tokenizer: %s", path, e.msg);
	for (size_t i = 0; i < w.m->nfile; i++)
		buf_release(&w.file[i]);
	free(w.file);
	if (v->kind != VOCAB_NONE)
		return v;
	vocab_free(v);
	return NULL;
}

struct telling {
	diff_key	*fn;
	void		*ctx;
	size_t		*n;
};

static void
tell(const struct telling *t, const char *key, const char *a, const char *b)
{
	struct err e;

	++*t->n;
	if ((!a || !b || strcmp(a, b)) && t->fn(t->ctx, key, a, b, &e) < 0)
		die("%s", e.msg);
}

static const char *
whole(char s[32], int64_t v)
{
	snprintf(s, 32, "%" PRId64, v);
	return s;
}

/* The first id of which both know, and disagree; "17 is ..." */
static void
tokens(const struct telling *t, const struct vocab *a, const struct vocab *b)
{
	const struct vocab *v[2] = { a, b };
	struct buf text[2] = { { 0 }, { 0 } };
	size_t n = a->ntoken < b->ntoken ? a->ntoken : b->ntoken, other = 0, first = 0;

	for (size_t i = 0; i < n; i++) {
		const struct vocab_token *x = &a->token[i], *y = &b->token[i];

		/* Ids behind the vocabulary's end are named by whoever pads. */
		if (!x->type || !y->type || x->type == VOCAB_UNUSED || y->type == VOCAB_UNUSED)
			continue;
		if ((x->len != y->len || memcmp(a->text.p + x->at, b->text.p + y->at, x->len)) &&
		    other++ == 0)
			first = i;
	}
	for (int k = 0; k < 2; k++) {
		if (other) {
			struct buf one = { 0 };

			buf_printf(&one, "id %zu is ", first);
			buf_put(&one, v[k]->text.p + v[k]->token[first].at, v[k]->token[first].len);
			buf_printf(&one, ", %zu differ", other);
			buf_json(&text[k], one.p, one.len);
			buf_release(&one);
		} else {
			buf_str(&text[k], "null");
		}
		buf_put(&text[k], "", 1);
		if (text[k].bad)
			die("out of memory");
	}
	tell(t, "tokenizer.tokens", (char *)text[0].p, (char *)text[1].p);
	buf_release(&text[0]);
	buf_release(&text[1]);
}

/* The first pair that the two merge in another order. */
static void
merges(const struct telling *t, const struct vocab *a, const struct vocab *b)
{
	size_t n = a->nmerge < b->nmerge ? a->nmerge : b->nmerge, i;
	struct buf text[2] = { { 0 }, { 0 } };
	char s[2][32];

	if (a->nmerge == 0 || b->nmerge == 0)
		return;
	for (i = 0; i < n; i++) {
		const struct vocab_merge *x = &a->merge[i], *y = &b->merge[i];

		if (x->left != y->left || x->right != y->right ||
		    memcmp(a->text.p + x->at, b->text.p + y->at, (size_t)x->left + x->right))
			break;
	}
	if (i < n)
		for (int k = 0; k < 2; k++) {
			const struct vocab *v = k ? b : a;
			const struct vocab_merge *m = &v->merge[i];
			struct buf one = { 0 };

			buf_printf(&one, "the %zuth joins ", i + 1);
			buf_put(&one, v->text.p + m->at, m->left);
			buf_str(&one, " and ");
			buf_put(&one, v->text.p + m->at + m->left, m->right);
			buf_json(&text[k], one.p, one.len);
			buf_put(&text[k], "", 1);
			buf_release(&one);
			if (text[k].bad)
				die("out of memory");
		}
	if (i < n)
		tell(t, "tokenizer.merges", (char *)text[0].p, (char *)text[1].p);
	else
		tell(t, "tokenizer.merges", whole(s[0], (int64_t)a->nmerge),
		    whole(s[1], (int64_t)b->nmerge));
	buf_release(&text[0]);
	buf_release(&text[1]);
}

void
diff_vocab(const struct diff_opts *o, struct source *s[2], diff_key *fn, void *ctx, size_t *n)
{
	static const struct { enum vocab_special id; const char *key; } ids[] = {
		{ VOCAB_BOS, "tokenizer.bos" }, { VOCAB_EOS, "tokenizer.eos" },
	};
	static const char *const kinds[] = { "null", "\"bpe\"", "\"spm\"", "\"unigram\"" };
	struct vocab *a = read_vocab(s[0], o->path[0]), *b = read_vocab(s[1], o->path[1]);
	struct telling t = { fn, ctx, n };
	char x[32], y[32];

	/* Of a stream nothing is known. */
	if (!source_stream(s[0]) && !source_stream(s[1]) && (a || b))
		tell(&t, "tokenizer", a ? kinds[a->kind] : NULL, b ? kinds[b->kind] : NULL);
	if (a && b) {
		tokens(&t, a, b);
		merges(&t, a, b);
		for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
			if (a->id[ids[i].id] >= 0 && b->id[ids[i].id] >= 0)
				tell(&t, ids[i].key, whole(x, a->id[ids[i].id]),
				    whole(y, b->id[ids[i].id]));
	}
	if (a)
		vocab_free(a);
	if (b)
		vocab_free(b);
}
