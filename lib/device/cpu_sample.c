/* SPDX-License-Identifier: MIT */
/* cpu_sample.c -- tokens from logits, a thread a row. */
#include <math.h>
#include <stdlib.h>

#include <apr/odds.h>

#include "cpu.h"

struct cand {
	uint32_t id;
	float	 a;
};
struct item {
	uint64_t rank, weight;
};
/* One thread's, for a vocabulary. */
struct work {
	struct cand *cand;
	struct item *item;
};

struct sampling {
	struct cpu	*c;
	const struct device_sample *o;
	struct device_chosen *to;
};

static float
probability(const struct cand *c)
{
	return fm_exp(-c->a);
}

static uint64_t
rank(const struct cand *c)
{
	return odds_rank((uint32_t)fm_bits(probability(c)), c->id);
}

/* The rank at which weights, from the highest rank on, reach `left`; 0: they
 * do not.  Items are moved about. */
static uint64_t
reach(struct item *t, size_t n, uint64_t left)
{
	uint64_t sum[256], found = 0;

	for (int shift = 48; shift >= 0; shift -= 8) {
		size_t k = 0;
		unsigned d = 255;

		for (unsigned i = 0; i < 256; i++)
			sum[i] = 0;
		for (size_t i = 0; i < n; i++)
			sum[t[i].rank >> shift & 255] += t[i].weight;
		for (; d > 0 && sum[d] < left; d--)
			left -= sum[d];
		if (sum[d] < left)
			return 0;
		for (size_t i = 0; i < n; i++)
			if ((t[i].rank >> shift & 255) == d)
				t[k++] = t[i];
		n = k;
		found = found << 8 | d;
	}
	return found;
}

/* Those whose item has a rank of `from` or more; items in order of candidates. */
static size_t
keep(struct cand *c, size_t n, const struct item *t, uint64_t from)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (t[i].rank >= from)
			c[k++] = c[i];
	return k;
}

/* By probability; each counts what it weighs, or 1. */
static void
by_rank(struct item *t, const struct cand *c, size_t n, bool one)
{
	for (size_t i = 0; i < n; i++)
		t[i] = (struct item){ rank(&c[i]), one ? 1 : odds_weight(probability(&c[i])) };
}

static void
by_closeness(struct item *t, const struct cand *c, size_t n, float mean)
{
	for (size_t i = 0; i < n; i++)
		t[i] = (struct item){ odds_rank(odds_close(c[i].a, mean), c[i].id),
		    odds_weight(probability(&c[i])) };
}

/* Weights, and with a mean to find, those times a. */
static uint64_t
mass(const struct cand *c, size_t n, float *mean)
{
	uint64_t w, sum = 0, times = 0;

	for (size_t i = 0; i < n; i++) {
		sum += w = odds_weight(probability(&c[i]));
		if (mean)
			times += odds_times(w, c[i].a);
	}
	if (mean)
		*mean = odds_mean(times, sum);
	return sum;
}

/* Items once more, since reach() moved them. */
static size_t
cut(struct cand *c, size_t n, const struct device_choice *o, struct item *t)
{
	uint64_t from, left;
	float mean, most = 0, p;
	size_t k = 0;

	if (o->top_k && n > o->top_k) {
		by_rank(t, c, n, true);
		from = reach(t, n, o->top_k);
		by_rank(t, c, n, true);
		n = keep(c, n, t, from);
	}
	if (o->typical < 1) {
		left = odds_share(mass(c, n, &mean), odds_part(o->typical));
		by_closeness(t, c, n, mean);
		from = reach(t, n, left);
		by_closeness(t, c, n, mean);
		n = keep(c, n, t, from);
	}
	if (o->top_p < 1) {
		left = odds_share(mass(c, n, NULL), odds_part(o->top_p));
		by_rank(t, c, n, false);
		from = reach(t, n, left);
		by_rank(t, c, n, false);
		n = keep(c, n, t, from);
	}
	if (!(o->min_p > 0))
		return n;
	for (size_t i = 0; i < n; i++)
		if ((p = probability(&c[i])) > most)
			most = p;
	for (size_t i = 0; i < n; i++)
		if (!(probability(&c[i]) < o->min_p * most))
			c[k++] = c[i];
	return k;
}

/* Of logits that are x or, where something was said about them, another. */
static uint32_t
draw(const struct device_choice *o, const float *x, size_t n, uint32_t top, struct work *w)
{
	uint64_t at;
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		struct cand c = { (uint32_t)i, (x[top] - x[i]) / o->temperature };

		if (odds_weight(probability(&c)))
			w->cand[k++] = c;
	}
	k = cut(w->cand, k, o, w->item);
	at = odds_high(o->random, mass(w->cand, k, NULL));
	for (size_t i = 0; i < k; i++) {
		uint64_t p = odds_weight(probability(&w->cand[i]));

		if (at < p)
			return w->cand[i].id;
		at -= p;
	}
	return top;
}

static uint32_t
largest(const float *x, size_t n)
{
	uint64_t best = 0, r;

	for (size_t i = 0; i < n; i++)
		if ((r = odds_rank(odds_order(x[i]), (uint32_t)i)) > best)
			best = r;
	return odds_id(best);
}

static uint64_t
total(const float *x, size_t n, float top)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += odds_weight(fm_exp(x[i] - top));
	return sum;
}

/* The logits are changed. */
static struct device_chosen
choose(const struct device_sample *o, const struct device_choice *c, float *x, struct work *w)
{
	size_t n = o->n_vocab;
	struct device_chosen to = { 0 };
	uint64_t sum = 0;
	uint32_t id;
	float top, raw;

	for (size_t i = 0; i < n; i++) {
		x[i] = odds_logit(x[i], o->scale, o->cap);
		if (!isfinite(x[i]))
			return (struct device_chosen){ -1, x[i] };
	}
	id = largest(x, n);
	top = x[id];
	if (c->logprob)
		sum = total(x, n, top);
	/* What it was before is kept in the mark. */
	for (size_t i = 0; i < c->nmark; i++) {
		struct device_mark *m = &c->mark[i];

		raw = x[m->id];
		x[m->id] = odds_adjust(raw, m->add, m->seen, m->made, c->repetition, c->presence,
		    c->frequency);
		m->add = raw;
	}
	if (c->nmark)
		id = largest(x, n);
	if (c->temperature > 0)
		id = draw(c, x, n, id, w);
	raw = x[id];
	for (size_t i = 0; i < c->nmark; i++)
		if (c->mark[i].id == id)
			raw = c->mark[i].add;
	to.id = (int32_t)id;
	if (c->logprob)
		to.logprob = odds_logprob(raw, top, sum);
	return to;
}

static void
choose_some(void *arg, size_t from, size_t to, unsigned who)
{
	const struct sampling *s = arg;
	size_t n = s->o->n_vocab;
	unsigned char *room = s->c->sample;
	struct work w = { 0 };

	if (room) {
		w.item = (void *)(room + who * n * (sizeof *w.item + sizeof *w.cand));
		w.cand = (void *)(w.item + n);
	}
	for (size_t i = from; i < to; i++)
		s->to[i] = choose(s->o, &s->o->choice[i], s->o->logits + i * n, &w);
}

int
cpu_sample(struct device *d, const struct device_sample *o, struct device_chosen *to,
    struct err *e)
{
	struct cpu *c = (struct cpu *)d;
	size_t bytes = o->n_vocab * (sizeof(struct item) + sizeof(struct cand)) * crew_size(c->crew);
	bool draws = false;

	for (size_t i = 0; i < o->n; i++)
		draws |= o->choice[i].temperature > 0;
	if (draws && bytes > c->sample_bytes) {
		free(c->sample);
		c->sample_bytes = 0;
		if (!(c->sample = malloc(bytes)))
			return err_set(e, "out of memory");
		c->sample_bytes = bytes;
	}
	crew_run(c->crew, o->n, 1, choose_some, &(struct sampling){ c, o, to });
	return 0;
}

int
cpu_choices(struct device *d, const struct device_sample *o, struct err *e)
{
	(void)d;
	(void)o;
	(void)e;
	return 0;
}
