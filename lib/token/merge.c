/* SPDX-License-Identifier: MIT */
/*
 * merge.c -- one piece of text to ids: pairs by rank or score, the leftmost
 * of equals first; or the likeliest cut (unigram).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "token.h"

enum { WORDS = 1 << 16, WORD = 48, WORD_IDS = 12 };

/* Words seen before; a newer one of the same place displaces an older. */
struct memory {
	struct word {
		uint8_t	len, n;
		char	text[WORD];
		int32_t	id[WORD_IDS];
	} word[WORDS];
};

struct memory *
memory_new(struct err *e)
{
	struct memory *m = calloc(1, sizeof *m);

	if (!m)
		err_set(e, "out of memory");
	return m;
}

void
memory_free(struct memory *m)
{
	free(m);
}

static const struct pair *
find_pair(const struct pairs *p, int32_t left, int32_t right)
{
	uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15;

	if (!p->slot)
		return NULL;
	for (size_t i = (h >> 20) & p->mask; p->slot[i].left >= 0; i = (i + 1) & p->mask)
		if (p->slot[i].left == left && p->slot[i].right == right)
			return &p->slot[i];
	return NULL;
}

/* A run of the piece that is one token by now (id < 0: none knows it). */
struct sym {
	int32_t	id, prev, next;
	uint32_t at, len;
};

/* A merge that may be done: of two symbols as they were when it was put in. */
struct todo {
	double	prio;
	int32_t	left, right, id;
	uint32_t len;
};

struct work {
	struct tokenizer *t;
	const char	*s;
	struct sym	*sym;
	struct todo	*heap;
	size_t		 n, heaped;
};

static bool
before(const struct todo *a, const struct todo *b)
{
	return a->prio < b->prio || (a->prio == b->prio && a->left < b->left);
}

static void
push(struct work *w, struct todo d)
{
	size_t i = w->heaped++;

	for (; i > 0 && before(&d, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = d;
}

static struct todo
pop(struct work *w)
{
	struct todo top = w->heap[0], last = w->heap[--w->heaped];
	size_t i = 0, k;

	for (; (k = 2 * i + 1) < w->heaped; i = k) {
		if (k + 1 < w->heaped && before(&w->heap[k + 1], &w->heap[k]))
			k++;
		if (!before(&w->heap[k], &last))
			break;
		w->heap[i] = w->heap[k];
	}
	w->heap[i] = last;
	return top;
}

static void
consider(struct work *w, int32_t left)
{
	const struct sym *a, *b;
	struct todo d = { .left = left };

	if (left < 0 || (d.right = w->sym[left].next) < 0)
		return;
	a = &w->sym[left];
	b = &w->sym[d.right];
	d.len = a->len + b->len;
	if (w->t->pairs.slot) {
		const struct pair *p = a->id < 0 || b->id < 0 ? NULL : find_pair(&w->t->pairs, a->id, b->id);

		if (!p)
			return;
		d.prio = p->rank;
		d.id = p->id;
	} else {
		if ((d.id = table_find(&w->t->tokens, w->s + a->at, d.len)) < 0)
			return;
		d.prio = -(double)w->t->v->token[d.id].score;
	}
	push(w, d);
}

static void
merge_all(struct work *w)
{
	for (size_t i = 0; i + 1 < w->n; i++)
		consider(w, (int32_t)i);
	while (w->heaped > 0) {
		struct todo d = pop(w);
		struct sym *a = &w->sym[d.left], *b = &w->sym[d.right];

		/* One of the two has become part of another since. */
		if (a->len == 0 || b->len == 0 || a->next != d.right || a->len + b->len != d.len)
			continue;
		a->id = d.id;
		a->len += b->len;
		b->len = 0;
		a->next = b->next;
		if (b->next >= 0)
			w->sym[b->next].prev = d.left;
		consider(w, a->prev);
		consider(w, d.left);
	}
}

/* Each merge takes one symbol and puts in at most two more. */
static int
begin(struct work *w, struct tokenizer *t, const char *s, size_t n, struct err *e)
{
	*w = (struct work){ .t = t, .s = s };
	if (n > INT32_MAX / 4)
		return err_set(e, "a piece of %zu bytes", n);
	w->sym = malloc((n + 1) * sizeof *w->sym);
	w->heap = malloc((3 * n + 1) * sizeof *w->heap);
	if (w->sym && w->heap)
		return 0;
	free(w->sym);
	free(w->heap);
	return err_set(e, "out of memory");
}

static void
add(struct work *w, int32_t id, size_t at, size_t len)
{
	struct sym *s = &w->sym[w->n];

	*s = (struct sym){ id, (int32_t)w->n - 1, -1, (uint32_t)at, (uint32_t)len };
	if (w->n > 0)
		w->sym[w->n - 1].next = (int32_t)w->n;
	w->n++;
}

static void
end(struct work *w)
{
	free(w->sym);
	free(w->heap);
}

static int
bpe_anew(struct tokenizer *t, const char *s, size_t n, struct ids *ids, struct err *e)
{
	struct work w;
	int32_t id;
	int r = 0;

	if (t->v->whole && (id = table_find(&t->tokens, s, n)) >= 0)
		return ids_add(ids, id, e);
	if (n == 1 && t->byte[(unsigned char)*s] >= 0)
		return ids_add(ids, t->byte[(unsigned char)*s], e);
	if (begin(&w, t, s, n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		add(&w, t->byte[(unsigned char)s[i]], i, 1);
	merge_all(&w);
	for (int32_t i = w.n ? 0 : -1; r == 0 && i >= 0; i = w.sym[i].next)
		if (w.sym[i].id >= 0 || t->unk >= 0)
			r = ids_add(ids, w.sym[i].id >= 0 ? w.sym[i].id : t->unk, e);
	end(&w);
	return r;
}

/* Where a piece is remembered; its len is 0 or another's if it is not. */
static struct word *
known(struct tokenizer *t, const char *s, size_t n)
{
	struct word *m;

	if (n > WORD)
		return NULL;
	m = &t->memory->word[table_hash(s, n) % WORDS];
	if (m->len != n || memcmp(m->text, s, n))
		m->len = 0;
	return m;
}

static int
recall(const struct word *m, struct ids *ids, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (ids_add(ids, m->id[i], e) < 0)
			return -1;
	return 0;
}

static void
keep(struct word *m, const char *s, size_t n, const struct ids *ids, size_t first)
{
	if (ids->n - first > WORD_IDS)
		return;
	m->len = (uint8_t)n;
	m->n = (uint8_t)(ids->n - first);
	memcpy(m->text, s, n);
	if (m->n)
		memcpy(m->id, ids->p + first, m->n * sizeof *m->id);
}

int
merge_bpe(struct tokenizer *t, const char *s, size_t n, struct ids *ids, struct err *e)
{
	struct word *m = known(t, s, n);
	size_t first = ids->n;

	if (m && m->len == n)
		return recall(m, ids, e);
	if (bpe_anew(t, s, n, ids, e) < 0)
		return -1;
	if (m)
		keep(m, s, n, ids, first);
	return 0;
}

/* A character that no token has: its bytes, if they are tokens, or unk, one
 * for a run of them. */
static int
fall_back(struct tokenizer *t, const char *s, size_t n, struct ids *ids, bool *unk, struct err *e)
{
	bool all = true;

	for (size_t i = 0; i < n; i++)
		all = all && t->byte[(unsigned char)s[i]] >= 0;
	if (all) {
		*unk = false;
		for (size_t i = 0; i < n; i++)
			if (ids_add(ids, t->byte[(unsigned char)s[i]], e) < 0)
				return -1;
		return 0;
	}
	if (t->unk < 0 || *unk)
		return 0;
	*unk = true;
	return ids_add(ids, t->unk, e);
}

static int
spm_anew(struct tokenizer *t, const char *s, size_t n, struct ids *ids, bool *unk, struct err *e)
{
	struct work w;
	int r = 0;

	if (begin(&w, t, s, n, e) < 0)
		return -1;
	for (size_t i = 0, k; i < n; i += k) {
		k = utf8_len((const unsigned char *)s + i, n - i);
		add(&w, table_find(&t->tokens, s + i, k), i, k);
	}
	merge_all(&w);
	for (int32_t i = w.n ? 0 : -1; r == 0 && i >= 0; i = w.sym[i].next) {
		const struct sym *y = &w.sym[i];

		if (y->id >= 0) {
			*unk = false;
			r = ids_add(ids, y->id, e);
		} else {
			r = fall_back(t, s + y->at, y->len, ids, unk, e);
		}
	}
	end(&w);
	return r;
}

/* Bytes of a word: blanks, and what is behind them up to the next. */
static size_t
word_len(const char *s, size_t n)
{
	size_t i = 0;

	while (n - i >= 3 && !memcmp(s + i, LOW_LINE, 3))
		i += 3;
	for (; i < n; i++)
		if (s[i] == LOW_LINE[0] && n - i >= 3 && !memcmp(s + i, LOW_LINE, 3))
			break;
	return i;
}

int
merge_spm(struct tokenizer *t, const char *s, size_t n, struct ids *ids, struct err *e)
{
	bool unk = false;

	if (!t->words)
		return spm_anew(t, s, n, ids, &unk, e);
	for (size_t k; n > 0; s += k, n -= k) {
		struct word *m;
		size_t first = ids->n;

		k = word_len(s, n);
		m = known(t, s, k);
		if (m && m->len == k) {
			unk = false;
			if (recall(m, ids, e) < 0)
				return -1;
			continue;
		}
		if (spm_anew(t, s, k, ids, &unk, e) < 0)
			return -1;
		/* A run of unknown characters may go on from word to word. */
		for (size_t i = first; i < ids->n && m; i++)
			if (ids->p[i] == t->unk)
				m = NULL;
		if (m && ids->n > first && !unk)
			keep(m, s, k, ids, first);
	}
	return 0;
}

/* The cut whose scores sum to most; what no token has costs 10 more than the
 * dearest. */
int
merge_unigram(struct tokenizer *t, const char *s, size_t n, struct ids *ids, struct err *e)
{
	struct { double sum; size_t from; int32_t id; } *best = malloc((n + 1) * sizeof *best);
	size_t *cut = malloc((n + 1) * sizeof *cut), k = 0;
	bool unk = false;
	int r = 0;

	if (!best || !cut) {
		free(best);
		free(cut);
		return err_set(e, "out of memory");
	}
	for (size_t i = 0; i <= n; i++)
		best[i].sum = i ? -INFINITY : 0;
	for (size_t i = 0, step; i < n; i += step) {
		bool single = false;

		step = utf8_len((const unsigned char *)s + i, n - i);
		for (size_t len = step; len <= t->longest && i + len <= n;
		    len += i + len < n ? utf8_len((const unsigned char *)s + i + len, n - i - len) : 1) {
			int32_t id = table_find(&t->tokens, s + i, len);
			double sum;

			if (id < 0 || t->v->token[id].type == VOCAB_CONTROL)
				continue;
			sum = best[i].sum + (double)t->v->token[id].score;
			single |= len == step;
			if (sum > best[i + len].sum) {
				best[i + len].sum = sum;
				best[i + len].from = i;
				best[i + len].id = id;
			}
		}
		if (!single && best[i].sum + (double)t->lowest - 10 > best[i + step].sum) {
			best[i + step].sum = best[i].sum + (double)t->lowest - 10;
			best[i + step].from = i;
			best[i + step].id = -1;
		}
	}
	for (size_t i = n; i > 0; i = best[i].from)
		cut[k++] = i;
	while (r == 0 && k-- > 0) {
		size_t i = cut[k];

		if (best[i].id >= 0) {
			unk = false;
			r = ids_add(ids, best[i].id, e);
		} else {
			r = fall_back(t, s + best[i].from, i - best[i].from, ids, &unk, e);
		}
	}
	free(best);
	free(cut);
	return r;
}
