/* SPDX-License-Identifier: MIT */
/* cpu_experts.c -- a mixture: which experts a column has, and their products. */
#include <string.h>

#include <apr/fmath.h>

#include "cpu.h"

struct routing {
	struct cpu	*c;
	const struct device_route *o;
};

/* One column, whose softmax is made at p. */
static void
choose(const struct device_route *o, float *p, uint32_t *expert, float *weight)
{
	float max = p[0], sum, kept = 0;
	bool used[1024] = { false };
	size_t n = o->n_expert;

	for (size_t i = 1; i < n; i++)
		if (p[i] > max)
			max = p[i];
	for (size_t i = 0; i < n; i++)
		p[i] = fm_exp(p[i] - max);
	sum = sum_f32(p, n);
	for (size_t i = 0; i < n; i++)
		p[i] /= sum;
	for (size_t k = 0; k < o->n_used; k++) {
		size_t best = 0;
		bool any = false;

		for (size_t i = 0; i < n; i++)
			if (!used[i] && (!any || p[i] > p[best])) {
				best = i;
				any = true;
			}
		used[best] = true;
		kept += p[best];
	}
	for (size_t i = 0; i < n; i++)
		if (used[i]) {
			*expert++ = (uint32_t)i;
			*weight++ = o->norm ? p[i] / kept : p[i];
		}
}

static void
route_some(void *arg, size_t from, size_t to, unsigned who)
{
	const struct routing *r = arg;
	const struct device_route *o = r->o;
	float *p = r->c->work + who * r->c->work_floats;

	for (size_t i = from; i < to; i++) {
		memcpy(p, o->p + i * o->n_expert, o->n_expert * sizeof *p);
		choose(o, p, o->expert + i * o->n_used, o->weight + i * o->n_used);
	}
}

void
cpu_route(struct device *d, const struct device_route *o)
{
	struct cpu *c = (struct cpu *)d;

	crew_run(c->crew, o->n, 4, route_some, &(struct routing){ c, o });
}

/* Columns of some experts, and which those are. */
struct mixture {
	float		*in, *up, *gate;	/* need.n columns each */
	float		*weight;		/* need.n */
	uint32_t	*column;		/* need.n */
	uint32_t	*users;			/* of each expert: columns */
	uint32_t	*first;			/* of each expert: in `order` */
	uint32_t	*order;			/* choices, by expert */
};

size_t
cpu_experts_work(const struct device_need *n)
{
	return n->n * (n->outer + 2 * n->inner + 2 + n->used) + 2 * n->experts;
}

static struct mixture
mixture(const struct cpu *c)
{
	const struct device_need *n = &c->need;
	struct mixture m = { .in = c->mixture };

	m.up = m.in + n->n * n->outer;
	m.gate = m.up + n->n * n->inner;
	m.weight = m.gate + n->n * n->inner;
	m.column = (uint32_t *)(m.weight + n->n);
	m.users = m.column + n->n;
	m.first = m.users + n->experts;
	m.order = m.first + n->experts;
	return m;
}

/* By expert, and each one's in order of columns. */
static void
sort(const struct mixture *m, const struct device_experts *o)
{
	uint32_t at = 0;

	memset(m->users, 0, o->n_expert * sizeof *m->users);
	for (size_t i = 0; i < o->n * o->n_used; i++)
		m->users[o->expert[i]] += o->weight[i] != 0;
	for (size_t x = 0; x < o->n_expert; x++) {
		m->first[x] = at;
		at += m->users[x];
	}
	for (size_t i = 0; i < o->n * o->n_used; i++)
		if (o->weight[i] != 0)
			m->order[m->first[o->expert[i]]++] = (uint32_t)i;
	for (size_t x = 0; x < o->n_expert; x++)
		m->first[x] -= m->users[x];
}

static struct device_product
times(const struct mat *w, const float *x, size_t ldx, size_t n, float *y, size_t ldy)
{
	return (struct device_product){ .w = w, .x = x, .ldx = ldx, .n = n, .y = y, .ldy = ldy };
}

/* Experts [from, to), whose columns there is room for. */
static void
some_experts(struct cpu *c, const struct mixture *m, const struct device_experts *o, size_t from,
    size_t to)
{
	size_t d = o->down->rows, wide = o->up->rows, first = m->first[from], n = 0, np = 0;

	for (size_t x = from; x < to; x++)
		n += m->users[x];
	for (size_t i = 0; i < n; i++) {
		m->column[i] = m->order[first + i] / (uint32_t)o->n_used;
		m->weight[i] = o->weight[m->order[first + i]];
	}
	cpu_gather(&c->d, &(struct device_gather){ .y = m->in, .x = o->x, .ldy = d, .ldx = o->ldx,
	    .n = n, .width = d, .from = m->column });
	for (size_t x = from; x < to; x++) {
		size_t at = m->first[x] - first, users = m->users[x];
		const float *in = m->in + at * d;

		if (users == 0)
			continue;
		c->job[np++] = times(&o->up[x], in, d, users, m->up + at * wide, wide);
		c->job[np++] = times(&o->gate[x], in, d, users, m->gate + at * wide, wide);
	}
	cpu_multiply(&c->d, c->job, np, o->precise);
	cpu_activate(&c->d, &(struct device_activate){ .y = m->up, .gate = m->gate, .ld = wide,
	    .n = n, .width = wide, .curve = o->curve });
	np = 0;
	for (size_t x = from; x < to; x++) {
		size_t at = m->first[x] - first;

		if (m->users[x] > 0)
			c->job[np++] = times(&o->down[x], m->up + at * wide, wide, m->users[x],
			    m->in + at * d, d);
	}
	cpu_multiply(&c->d, c->job, np, o->precise);
	for (size_t i = 0; i < n; i++)
		kernels()->f.blend(o->y + m->column[i] * o->ldy, 0, m->weight + i, 0, 1,
		    m->in + i * d, 0, 0, 1, d);
}

/*
 * Expert by expert, with the columns that chose it, as many experts at a time
 * as there are columns for; each column sums its experts in order of their
 * index, whatever else is in the batch.
 */
void
cpu_experts(struct device *d, const struct device_experts *o)
{
	struct cpu *c = (struct cpu *)d;
	struct mixture m = mixture(c);

	sort(&m, o);
	for (size_t i = 0; i < o->n; i++)
		memset(o->y + i * o->ldy, 0, o->down->rows * sizeof *o->y);
	for (size_t x = 0, to; x < o->n_expert; x = to) {
		size_t n = 0;

		for (to = x; to < o->n_expert && n + m.users[to] <= c->need.n; to++)
			n += m.users[to];
		if (n > 0)
			some_experts(c, &m, o, x, to);
	}
}
