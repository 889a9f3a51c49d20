/* SPDX-License-Identifier: MIT */
/* gpu_sample.c -- tokens from logits that stay where they are. */
#include <stdlib.h>
#include <string.h>

#include <apr/float.h>
#include <apr/odds.h>

#include "gpu.h"

/* As sample.cl has them. */
enum { CHUNK = 1024, SLOTS = 16, STATE = 16, CHOICE = 16, ITEMS = 64, LEVELS = 14 };
enum { BY_K, BY_CLOSENESS, BY_P, BY_LEAST, CUTS, DRAWN = 1 << 4, LOGPROB = 1 << 5 };
enum { AFTER_BEGIN, AFTER_TOP, AFTER_SUM, AFTER_SELECT };

static size_t
chunks(size_t vocab)
{
	return (vocab + CHUNK - 1) / CHUNK;
}

/* z, part, state, choice, out; and marks, of which a row seldom has more. */
enum { PIECES = 5, MARKS = 1024 };

static void
pieces(size_t rows, size_t vocab, size_t bytes[PIECES])
{
	memcpy(bytes, (size_t[PIECES]){ rows * vocab * 4, rows * chunks(vocab) * SLOTS * 8,
	    rows * STATE * 8, rows * CHOICE * 4, rows * sizeof(struct device_chosen) },
	    PIECES * sizeof *bytes);
}

uint64_t
gpu_sample_bytes(size_t rows, size_t vocab)
{
	uint64_t all = gpu_takes(rows * MARKS * sizeof(struct device_mark));
	size_t bytes[PIECES];

	pieces(rows, vocab, bytes);
	for (int i = 0; i < PIECES; i++)
		all += gpu_takes(bytes[i]);
	return rows ? all : 0;
}

/* Memory for as many rows, and marks, as were never wanted before. */
static int
room(struct gpu *g, size_t rows, size_t vocab, size_t marks, struct err *e)
{
	struct gpu_sample *s = &g->sample;
	void **all[PIECES] = { &s->z, &s->part, &s->state, &s->choice, &s->out };
	size_t bytes[PIECES];

	if (rows > s->rows || vocab > s->vocab) {
		rows = rows > s->rows ? rows : s->rows;
		vocab = vocab > s->vocab ? vocab : s->vocab;
		s->rows = s->vocab = 0;
		pieces(rows, vocab, bytes);
		for (size_t i = 0; i < PIECES; i++) {
			if (*all[i])
				gpu_free(&g->d, *all[i]);
			if (!(*all[i] = gpu_alloc(&g->d, bytes[i], e)))
				return -1;
		}
		s->rows = rows;
		s->vocab = vocab;
	}
	if (marks > s->marks) {
		if (s->mark)
			gpu_free(&g->d, s->mark);
		s->marks = 0;
		if (!(s->mark = gpu_alloc(&g->d, marks * sizeof(struct device_mark), e)))
			return -1;
		s->marks = marks;
	}
	return 0;
}

int
gpu_sample_reserve(struct gpu *g, size_t rows, size_t vocab, struct err *e)
{
	return room(g, rows, vocab, rows * MARKS, e);
}

static uint32_t
flags(const struct device_choice *c)
{
	uint32_t f = c->logprob ? LOGPROB : 0;

	if (!(c->temperature > 0))
		return f;
	return f | DRAWN | (c->top_k > 0 ? 1u << BY_K : 0) |
	    (c->typical < 1 ? 1u << BY_CLOSENESS : 0) | (c->top_p < 1 ? 1u << BY_P : 0) |
	    (c->min_p > 0 ? 1u << BY_LEAST : 0);
}

/* The words of a choice, whose marks begin at `mark`. */
static void
words(uint32_t *to, const struct device_choice *c, size_t mark)
{
	const uint32_t all[CHOICE] = { flags(c), f32_bits(c->temperature), c->top_k,
	    c->typical < 1 ? odds_part(c->typical) : 0, c->top_p < 1 ? odds_part(c->top_p) : 0,
	    f32_bits(c->min_p), (uint32_t)c->random, (uint32_t)(c->random >> 32),
	    f32_bits(c->repetition), f32_bits(c->presence), f32_bits(c->frequency),
	    (uint32_t)mark, (uint32_t)c->nmark };

	memcpy(to, all, sizeof all);
}

/* The choices and their marks go there; what all of them want stays here. */
int
gpu_choices(struct device *d, const struct device_sample *o, struct err *e)
{
	struct gpu *g = (struct gpu *)d;
	struct gpu_sample *s = &g->sample;
	size_t marks = 0, at = 0;
	uint32_t *w;

	s->sent = NULL;
	s->wants = 0;
	s->most = 0;
	for (size_t i = 0; i < o->n; i++) {
		marks += o->choice[i].nmark;
		s->most = o->choice[i].nmark > s->most ? o->choice[i].nmark : s->most;
		s->wants |= flags(&o->choice[i]);
	}
	if (room(g, o->n, o->n_vocab, marks > g->sample.marks ? 2 * marks : marks, e) < 0)
		return -1;
	if (!(w = malloc(o->n * CHOICE * sizeof *w)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < o->n; i++) {
		words(w + i * CHOICE, &o->choice[i], at);
		if (o->choice[i].nmark > 0)
			gpu_write(&g->d, (struct device_mark *)g->sample.mark + at,
			    o->choice[i].mark, o->choice[i].nmark * sizeof *o->choice[i].mark);
		at += o->choice[i].nmark;
	}
	gpu_write(&g->d, g->sample.choice, w, o->n * CHOICE * sizeof *w);
	free(w);
	s->sent = o->choice;
	return 0;
}

#define ROW(s, o) \
	(const void *)(o)->logits, (const void *)(s)->z, (const void *)(s)->choice, \
	(const void *)(s)->part, (const void *)(s)->state, (unsigned)(o)->n_vocab, \
	(unsigned)chunks((o)->n_vocab)

static void
settle(struct gpu *g, const struct device_sample *o, unsigned after, unsigned cut)
{
	gpu_run(g, K_SAMPLE_SETTLE, NULL, (size_t[]){ ITEMS, o->n, 1 }, ITEMS, "pppppuuuu",
	    ROW(&g->sample, o), after, cut);
}

/* The lowest rank that a cut keeps, digit by digit. */
static void
cut(struct gpu *g, const struct device_sample *o, const size_t items[3], unsigned which)
{
	gpu_run(g, K_SAMPLE_SUM, NULL, items, ITEMS, "pppppuu", ROW(&g->sample, o));
	settle(g, o, AFTER_SUM, which);
	for (unsigned level = 0; which != BY_LEAST && level < LEVELS; level++) {
		gpu_run(g, K_SAMPLE_SELECT, NULL, items, ITEMS, "pppppuuuu", ROW(&g->sample, o),
		    which, level);
		settle(g, o, AFTER_SELECT + level, which);
	}
}

int
gpu_sample(struct device *d, const struct device_sample *o, struct device_chosen *to,
    struct err *e)
{
	struct gpu *g = (struct gpu *)d;
	struct gpu_sample *s = &g->sample;
	size_t items[3] = { chunks(o->n_vocab) * ITEMS, o->n, 1 };

	if (s->sent != o->choice && gpu_choices(d, o, e) < 0)
		return -1;
	s->sent = NULL;
	d->op->zero(d, s->state, o->n * STATE * 8, 1, 0);
	gpu_run(g, K_SAMPLE_BEGIN, NULL, items, ITEMS, "pppppuuff", ROW(s, o), (double)o->scale,
	    (double)o->cap);
	settle(g, o, AFTER_BEGIN, 0);
	if (s->most > 0)
		gpu_run(g, K_SAMPLE_ADJUST, NULL, (size_t[]){ s->most, o->n, 1 }, ITEMS, "pppppuup",
		    ROW(s, o), (const void *)s->mark);
	gpu_run(g, K_SAMPLE_TOP, NULL, items, ITEMS, "pppppuu", ROW(s, o));
	settle(g, o, AFTER_TOP, 0);
	if (s->wants & DRAWN) {
		gpu_run(g, K_SAMPLE_WEIGH, NULL, items, ITEMS, "pppppuu", ROW(s, o));
		for (unsigned i = 0; i < CUTS; i++)
			if (s->wants >> i & 1)
				cut(g, o, items, i);
		gpu_run(g, K_SAMPLE_SUM, NULL, items, ITEMS, "pppppuu", ROW(s, o));
	}
	gpu_run(g, K_SAMPLE_DRAW, NULL, (size_t[]){ ITEMS, o->n, 1 }, ITEMS, "pppppuup", ROW(s, o),
	    (const void *)s->out);
	return gpu_read(d, to, s->out, o->n * sizeof *to, e);
}
