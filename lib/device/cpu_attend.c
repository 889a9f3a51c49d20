/* SPDX-License-Identifier: MIT */
/*
 * cpu_attend.c -- queries against the keys of their sequence.
 *
 * Keys are taken in blocks of 256 at fixed positions; each block gives its
 * largest score, the sum of its weights and its weighted values, and blocks
 * are joined in order.  So a prompt may be cut anywhere.
 */
#include <math.h>
#include <string.h>

#include <apr/fmath.h>
#include <apr/kernel.h>

#include "cpu.h"

/* Keys or values of some positions, which lie behind one another, as f32. */
static void
get(const struct device_cache *c, float *dst, const unsigned char *src, size_t n)
{
	type_decoder(c->type)(dst, src, n);
}

struct attend {
	struct cpu		*cpu;
	const struct device_attend *o;
	size_t			 heads;		/* of a group that are taken together */
};

/*
 * Queries that share keys: heads of one group, in columns that follow one
 * another.  Query i is column first + i / heads, head + i % heads.
 */
struct tile {
	const struct attend *a;
	size_t		 first, cols, head, heads;
	uint32_t	 from[ATTEND_QUERIES], to[ATTEND_QUERIES];	/* keys of this block */
	float		 max[ATTEND_QUERIES], sum[ATTEND_QUERIES];
	float		*k, *v;		/* KEY_BLOCK x hd */
	float		*s, *acc;	/* queries x KEY_BLOCK, queries x hd */
};

/* Floats that a tile needs. */
size_t
cpu_attend_work(size_t hd)
{
	return 2 * KEY_BLOCK * hd + ATTEND_QUERIES * (KEY_BLOCK + hd);
}

static const float *
query(const struct tile *t, size_t i)
{
	const struct device_attend *o = t->a->o;

	return o->q + (t->first + i / t->heads) * o->ldq + (t->head + i % t->heads) * o->step;
}

/* Scores of all queries against keys [from, to) of the block. */
static void
score(struct tile *t, uint32_t from, uint32_t to)
{
	const struct device_attend *o = t->a->o;
	size_t hd = o->c.head_dim;

	if (t->heads >= 4 || t->cols == 1) {
		for (size_t c = 0; c < t->cols; c++)
			kernels()->f.dots(t->s + c * t->heads * KEY_BLOCK + from, KEY_BLOCK,
			    t->k + from * hd, hd, to - from, query(t, c * t->heads), o->step,
			    t->heads, hd);
		return;
	}
	for (size_t h = 0; h < t->heads; h++)
		kernels()->f.dots(t->s + h * KEY_BLOCK + from, t->heads * KEY_BLOCK,
		    t->k + from * hd, hd, to - from, query(t, h), o->ldq, t->cols, hd);
}

/* acc of queries [i, i + n), whose keys mostly are the same. */
static void
blend(struct tile *t, size_t i, size_t n)
{
	const struct kernel_floats *f = &kernels()->f;
	size_t hd = t->a->o->c.head_dim;
	uint32_t from = t->from[i], to = t->to[i];

	for (size_t j = i + 1; j < i + n; j++) {
		if (t->from[j] > from)
			from = t->from[j];
		if (t->to[j] < to)
			to = t->to[j];
	}
	if (from >= to)
		from = to = t->from[i];
	for (size_t j = i; j < i + n && n > 1; j++)
		if (t->from[j] < from)
			f->blend(t->acc + j * hd, hd, t->s + j * KEY_BLOCK, KEY_BLOCK, 1, t->v, hd,
			    t->from[j], from < t->to[j] ? from : t->to[j], hd);
	f->blend(t->acc + i * hd, hd, t->s + i * KEY_BLOCK, KEY_BLOCK, n, t->v, hd, from, to, hd);
	for (size_t j = i; j < i + n && n > 1; j++)
		if (t->to[j] > to)
			f->blend(t->acc + j * hd, hd, t->s + j * KEY_BLOCK, KEY_BLOCK, 1, t->v, hd,
			    to > t->from[j] ? to : t->from[j], t->to[j], hd);
}

/* What the blocks before gave, and this one's maximum, sum and values. */
static void
join(struct tile *t, size_t i, float m, float l)
{
	const struct device_attend *o = t->a->o;
	size_t hd = o->c.head_dim;
	float *acc = t->acc + i * hd, c0 = 1, c1 = 1;
	float *out = o->out + (t->first + i / t->heads) * o->ldo + (t->head + i % t->heads) * hd;

	if (t->sum[i] == 0) {
		t->max[i] = m;
		t->sum[i] = l;
		memcpy(out, acc, hd * sizeof *out);
		return;
	}
	if (m > t->max[i]) {
		c0 = fm_exp(t->max[i] - m);
		t->max[i] = m;
	} else {
		c1 = fm_exp(m - t->max[i]);
	}
	t->sum[i] = fmaf(l, c1, t->sum[i] * c0);
	for (size_t d = 0; d < hd; d++)
		out[d] = fmaf(acc[d], c1, out[d] * c0);
}

/* Keys [base, base + KEY_BLOCK), as far as the queries see them. */
static void
block(struct tile *t, uint32_t base, const unsigned char *k, const unsigned char *v)
{
	const struct device_attend *o = t->a->o;
	size_t hd = o->c.head_dim, n = t->cols * t->heads;
	uint32_t from = KEY_BLOCK, to = 0;
	float max[ATTEND_QUERIES], sum[ATTEND_QUERIES];

	for (size_t i = 0; i < n; i++) {
		uint32_t pos = t->a->cpu->at[t->first + i / t->heads].pos, window = o->window;
		uint32_t low = window && pos >= window ? pos - window + 1 : 0;

		t->from[i] = low < base ? 0 : low - base < KEY_BLOCK ? low - base : KEY_BLOCK;
		t->to[i] = pos < base ? 0 : pos - base < KEY_BLOCK ? pos - base + 1 : KEY_BLOCK;
		if (t->from[i] >= t->to[i])
			continue;
		if (t->from[i] < from)
			from = t->from[i];
		if (t->to[i] > to)
			to = t->to[i];
	}
	if (from >= to)
		return;
	get(&o->c, t->k + from * hd, k + (base + from) * o->c.head_bytes, (to - from) * hd);
	get(&o->c, t->v + from * hd, v + (base + from) * o->c.head_bytes, (to - from) * hd);
	score(t, from, to);
	for (size_t i = 0; i < n; i++)
		if (t->from[i] < t->to[i])
			max[i] = kernels()->f.weigh(t->s + i * KEY_BLOCK, t->from[i], t->to[i],
			    o->scale, o->cap, &sum[i]);
	memset(t->acc, 0, n * hd * sizeof *t->acc);
	for (size_t i = 0; i < n; i += 4)
		blend(t, i, n - i < 4 ? n - i : 4);
	for (size_t i = 0; i < n; i++)
		if (t->from[i] < t->to[i])
			join(t, i, max[i], sum[i]);
}

/* Items are (run of columns, part of a group of heads); runs begin at pick[]. */
static void
attend(void *arg, size_t from, size_t to, unsigned who)
{
	const struct attend *a = arg;
	const struct device_attend *o = a->o;
	const struct cpu *c = a->cpu;
	size_t hd = o->c.head_dim, per = o->n_head / o->c.n_kv;
	size_t parts = o->n_head / a->heads;
	struct tile t = { .a = a, .heads = a->heads, .k = c->work + who * c->work_floats };

	t.v = t.k + KEY_BLOCK * hd;
	t.s = t.v + KEY_BLOCK * hd;
	t.acc = t.s + ATTEND_QUERIES * KEY_BLOCK;
	for (size_t i = from; i < to; i++) {
		const struct device_at *first, *last;
		size_t base, n;
		uint32_t low;

		t.first = c->pick[i / parts];
		t.cols = c->pick[i / parts + 1] - t.first;
		t.head = i % parts * a->heads;
		n = t.cols * t.heads;
		first = &c->at[t.first];
		last = first + t.cols - 1;
		base = cpu_cache_at(&o->c, first->seq, t.head / per, 0);
		memset(t.sum, 0, n * sizeof *t.sum);
		low = o->window && first->pos >= o->window ? first->pos - o->window + 1 : 0;
		for (uint32_t b = low / KEY_BLOCK * KEY_BLOCK; b <= last->pos; b += KEY_BLOCK)
			block(&t, b, o->c.k + base, o->c.v + base);
		for (size_t k = 0; k < n; k++) {
			float *out = o->out + (t.first + k / t.heads) * o->ldo +
			    (t.head + k % t.heads) * hd;

			for (size_t d = 0; d < hd; d++)
				out[d] /= t.sum[k];
		}
	}
}

/* Columns of one sequence in runs, heads in parts: as many as threads like,
 * which no result shows. */
void
cpu_attend(struct device *d, const struct device_attend *o)
{
	struct cpu *c = (struct cpu *)d;
	struct attend a = { c, o, o->n_head / o->c.n_kv };
	size_t want = 4 * (size_t)crew_size(c->crew), most, n = 0;

	while (a.heads > ATTEND_QUERIES || (a.heads % 2 == 0 && c->n * o->n_head / a.heads < want))
		a.heads = a.heads % 2 ? 1 : a.heads / 2;
	most = ATTEND_QUERIES / a.heads;
	if (most > c->n * (o->n_head / a.heads) / want)
		most = c->n * (o->n_head / a.heads) / want;
	if (most == 0)
		most = 1;
	for (size_t i = 0; i < c->n; i++)
		if (n == 0 || i - c->pick[n - 1] == most || c->at[i].seq != c->at[i - 1].seq)
			c->pick[n++] = (uint32_t)i;
	c->pick[n] = (uint32_t)c->n;
	crew_run(c->crew, n * (o->n_head / a.heads), 1, attend, &a);
}
