/* SPDX-License-Identifier: MIT */
/* dot_any.c -- panels times many columns, and panels of any packed type. */
#include "dot.h"

INLINE void
many(const struct laid *p, size_t n, unsigned flags, const struct dot_act *a, size_t step, int nc,
    vf *acc)
{
	UNROLL
	for (int c = 0; c < nc; c++)
		acc[c] = vf_set1(0);
	for (size_t i = 0; i < n; i++, p++, a += step) {
		struct group g;
		vf m0 = vf_set1(0), m1 = m0;

		UNROLL
		for (int j = 0; j < 8; j++)
			g.q[j] = vi_load(p->q[j]);
		g.s = vf_load(p->s);
		if (flags & (DOT_MIN | DOT_HALF_SCALES))
			g.m = vf_load(p->m);
		if (flags & DOT_HALVES) {
			g.k[0] = vf_load(p->k[0]);
			g.k[1] = vf_load(p->k[1]);
		}
		if (flags & DOT_MIN_HALVES) {
			m0 = vf_load(p->mk[0]);
			m1 = vf_load(p->mk[1]);
		}
		UNROLL
		for (int c = 0; c < nc; c++) {
			acc[c] = dot_step(acc[c], &g, flags, SIGNED, a + c);
			if (flags & DOT_MIN_HALVES)
				acc[c] = dot_minima(acc[c], m0, m1, a + c);
		}
	}
}

/* Columns [c, c + nc) of a strip. */
INLINE void
block(const struct kernel_dot *d, const struct laid *p, size_t n, unsigned flags, size_t first,
    size_t c, int nc, size_t row, size_t rows)
{
	size_t step = (size_t)(dot_act(&d->a, c, 1) - dot_act(&d->a, c, 0));
	vf acc[8];
	float part[W];

	many(p, n, flags, dot_act(&d->a, c, first), step, nc, acc);
	for (int i = 0; i < nc; i++) {
		float *y = d->y + (c + (size_t)i) * d->ldy + row;

		if (rows >= W) {
			if (first > 0)
				acc[i] += vf_load(y);
			vf_store(y, acc[i]);
			continue;
		}
		vf_store(part, acc[i]);
		for (size_t r = 0; r < rows; r++)
			y[r] = first ? y[r] + part[r] : part[r];
	}
}

/* As many columns at once as there are registers for their sums. */
enum { MOST = W == 16 ? 8 : 4 };

INLINE void
all(const struct kernel_dot *d, const struct laid *p, size_t strips, size_t n, unsigned flags,
    size_t first, size_t row, size_t rows)
{
	for (size_t c = 0, nc; c < d->a.n; c += nc) {
		size_t left = d->a.n - c;

		nc = left >= MOST ? MOST : left >= 4 ? 4 : left >= 2 ? 2 : 1;
		for (size_t k = 0; k < strips; k++) {
			const struct laid *panel = p + k * n;
			size_t at = row + k * W, has = rows - k * W;

			if (nc == 8)
				block(d, panel, n, flags, first, c, 8, at, has);
			else if (nc == 4)
				block(d, panel, n, flags, first, c, 4, at, has);
			else if (nc == 2)
				block(d, panel, n, flags, first, c, 2, at, has);
			else
				block(d, panel, n, flags, first, c, 1, at, has);
		}
	}
}

void
KERNEL(dot_panels)(const struct kernel_dot *d, const struct laid *p, size_t strips, size_t n,
    size_t first, size_t row, size_t rows)
{
	switch (d->flags) {
	case 0:
		all(d, p, strips, n, 0, first, row, rows);
		break;
	case DOT_MIN:
		all(d, p, strips, n, DOT_MIN, first, row, rows);
		break;
	case DOT_HALVES:
		all(d, p, strips, n, DOT_HALVES, first, row, rows);
		break;
	case DOT_HALF_SCALES:
		all(d, p, strips, n, DOT_HALF_SCALES, first, row, rows);
		break;
	default:
		all(d, p, strips, n, DOT_HALVES | DOT_MIN_HALVES, first, row, rows);
	}
}

/* One row's groups into lane `lane` of a panel. */
static void
lay(struct laid *p, const struct dot_groups *g, size_t n, unsigned flags, int lane)
{
	for (size_t i = 0; i < n; i++, p++) {
		for (int j = 0; j < 8; j++) {
			int32_t w;

			memcpy(&w, g->q + 32 * i + 4 * j, sizeof w);
			p->q[j][lane] = DOT_BIASED ? w ^ (int32_t)0x80808080 : w;
		}
		p->s[lane] = g->s[i];
		if (flags & (DOT_MIN | DOT_HALF_SCALES))
			p->m[lane] = g->m[i];
		for (int h = 0; h < 2; h++) {
			if (flags & DOT_HALVES)
				p->k[h][lane] = (float)g->k[2 * i + (size_t)h];
			if (flags & DOT_MIN_HALVES)
				p->mk[h][lane] = g->m[i] * (float)g->mk[2 * i + (size_t)h];
		}
	}
}

/* Behind the panels. */
struct row {
	int8_t	q[DOT_SEGMENT];
	float	s[SEGMENT_GROUPS], m[SEGMENT_GROUPS];
	int16_t	k[2 * SEGMENT_GROUPS], mk[2 * SEGMENT_GROUPS];
};

static void
unpack(const struct kernel_dot *d, struct row *t, struct laid *panel, size_t i, size_t cols,
    size_t row, int lane)
{
	struct dot_groups g = { t->q, t->s, t->m, t->k, t->mk };
	size_t n = (cols + DOT_GROUP - 1) / DOT_GROUP;
	size_t whole = (cols + d->block - 1) / d->block * d->block;

	/* apr_q8 has no blocks, so its last group may be short. */
	if (d->block == 1) {
		memset(t->q, 0, n * DOT_GROUP);
		for (size_t k = 0; k < n; k++)
			t->s[k] = d->scale;
	}
	d->unpack(&g, d->w + row * d->stride + i / d->block * d->bytes, whole);
	lay(panel, &g, n, d->flags, lane);
}

void
KERNEL(dot_any)(const struct kernel_dot *d)
{
	struct laid *panel = d->tmp;
	struct row *t = (void *)(panel + STRIPS * SEGMENT_GROUPS);

	for (size_t r = 0, rows; r < d->rows; r += rows) {
		rows = d->rows - r < STRIPS * W ? d->rows - r : STRIPS * W;
		for (size_t i = 0, cols; i < d->cols; i += cols) {
			size_t n, strips = (rows + W - 1) / W;

			cols = d->cols - i < DOT_SEGMENT ? d->cols - i : DOT_SEGMENT;
			n = (cols + DOT_GROUP - 1) / DOT_GROUP;
			/* Lanes without a row take the last one again. */
			for (size_t k = 0; k < strips * W; k++)
				unpack(d, t, panel + k / W * n, i, cols,
				    r + (k < rows ? k : rows - 1), (int)(k % W));
			KERNEL(dot_panels)(d, panel, strips, n, i / DOT_GROUP, r, rows);
		}
	}
}
