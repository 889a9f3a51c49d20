/* SPDX-License-Identifier: MIT */
/* cpu_multiply.c -- products, shared out among threads by rows. */
#include "cpu.h"

struct list {
	struct cpu	*c;
	bool		 precise;
};

static void
quantize(void *arg, size_t from, size_t to, unsigned who)
{
	const struct multiplied *m = arg;
	struct act a = m->act;

	(void)who;
	act_quantize(&a, from, to, m->scratch);
}

/* Rows that one thread multiplies at a time: whole strips of kernels.  Of few
 * columns it reads no more than is worth waiting for at the end; many want
 * all strips of a panel. */
static size_t
share(const struct device_product *p)
{
	const struct type *t = p->w->type;
	size_t row = p->w->cols / t->block * t->bytes + 1, n = (128 << 10) / row / 16 * 16;

	return p->n > 16 || p->w->transposed || n > 64 ? 64 : n < 16 ? 16 : n;
}

/* Pieces of all products, counted through. */
static void
multiply(void *arg, size_t from, size_t to, unsigned who)
{
	const struct list *l = arg;
	const struct multiplied *m = l->c->product;
	size_t first = 0;

	for (size_t piece = from; piece < to; piece++) {
		const struct device_product *p;
		size_t r, end;

		while (piece - first >= m->pieces)
			first += m++->pieces;
		p = &m->p;
		r = (piece - first) * m->step;
		end = p->w->rows - r < m->step ? p->w->rows : r + m->step;
		mat_mul(p->w, r, end, &m->act, l->precise, p->y, p->ldy,
		    (unsigned char *)l->c->tmp + who * l->c->tmp_bytes);
		for (size_t c = 0; p->bias && c < p->n; c++)
			for (size_t i = r; i < end; i++)
				p->y[c * p->ldy + i] += p->bias[i];
	}
}

void
cpu_multiply(struct device *d, const struct device_product *p, size_t n, bool precise)
{
	struct cpu *c = (struct cpu *)d;
	struct list l = { c, precise };
	unsigned char *scratch = c->act;
	size_t pieces = 0;

	for (size_t i = 0; i < n; i++) {
		struct multiplied *m = &c->product[i], *before = i > 0 ? m - 1 : NULL;

		*m = (struct multiplied){ .p = p[i], .step = share(&p[i]),
		    .act = { .cols = p[i].w->cols, .n = p[i].n, .ld = p[i].ldx, .x = p[i].x,
		    .fine = p[i].w->fine } };
		m->pieces = (p[i].w->rows + m->step - 1) / m->step;
		pieces += m->pieces;
		if (!mat_packed(p[i].w, precise))
			continue;
		if (before && before->p.x == p[i].x && before->scratch &&
		    before->act.fine == m->act.fine) {
			m->scratch = before->scratch;
		} else {
			m->scratch = scratch;
			scratch += act_scratch(p[i].w->cols, m->act.fine ? 2 * p[i].n : p[i].n);
			crew_run(c->crew, p[i].n, 4, quantize, m);
		}
		act_quantize(&m->act, 0, 0, m->scratch);	/* where they lie */
	}
	crew_run(c->crew, pieces, 1, multiply, &l);
}
