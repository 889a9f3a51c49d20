/* SPDX-License-Identifier: MIT */
/*
 * iq1.c -- the searches of IQ1: a lane is a second place at which the sorted
 * elements are parted.
 */
#include <apr/codebook.h>

#include "pick.h"
#include "simd.h"


static const float levels[2][4] = {
	{ -0.875f, 0.125f, 1.125f, 0 },
	{ -1.125f, -0.125f, 0.875f, 0 },	/* down */
};

/* Element numbers by rising x, equals in order: each counts who is before it. */
static void
sort(int n, const float *x, uint8_t *order)
{
	int32_t place[W];

	memset(order, 0, (size_t)n);
	for (int i = 0; i < n; i += W) {
		vi before = vi_set1(0), one = vi_set1(1), me = lanes() + vi_set1(i);
		vf v = vf_load(x + i);

		for (int j = 0; j < i; j++)
			before += vi_select(vf_le(vf_set1(x[j]), v), one, vi_set1(0));
		for (int j = i; j < i + W; j++) {
			vm m = vm_and(vi_lt(vi_set1(j), me), vf_eq(vf_set1(x[j]), v));

			before += vi_select(vm_or(m, vf_lt(vf_set1(x[j]), v)), one, vi_set1(0));
		}
		for (int j = i + W; j < n; j++)
			before += vi_select(vf_lt(vf_set1(x[j]), v), one, vi_set1(0));
		vi_store(place, before);
		for (int j = 0; j < W; j++)
			order[place[j]] = (uint8_t)(i + j);
	}
}

/* Where the sorted elements part: below i1, from i2 on, and between. */
struct parting {
	float	scale, best;
	float	skip;		/* what is less matters to nothing */
	int	i1, i2, kind;
};

/*
 * The reference takes one pair of places after the other if a * a > best * b,
 * best then being a / b * a.  Pairs whose a * a / b is less than the largest
 * by more than all roundings together (fewer than 1200 pairs, 2^-22 for each)
 * leave no trace in the end, and mostly come first: a look at a few rows gives
 * a mark to skip them by.
 */
static float
mark(vf most, float weight)
{
	float largest = -vf_hmin(vf_set1(0) - most), energy = largest * weight;

	/* Where squares would overflow or be subnormal all are looked at. */
	if (!(energy > 1e-28f && energy < 1e28f && weight > 1e-28f && largest > 1e-28f))
		return -FLT_MAX;
	return largest * (1 - 0x1p-10f);
}

/* Lane after lane, kind after kind. */
static __attribute__((noinline)) void
take(struct parting *p, int kinds, const vf *a, const vf *b, int i1, int i2, int n)
{
	float la[4][W], lb[4][W];

	for (int k = 0; k < kinds; k++) {
		vf_store(la[k], a[k]);
		vf_store(lb[k], b[k]);
	}
	for (int i = 0; i < n; i++)
		for (int k = 0; k < kinds; k++) {
			float x = la[k][i], y = lb[k][i];

			if (!(y > 0 && x * x > p->best * y && x * x > p->skip * y))
				continue;
			p->scale = x / y;
			p->best = p->scale * x;
			p->i1 = i1;
			p->i2 = i2 + i;
			p->kind = k;
		}
}

INLINE void
consider(struct parting *p, int kinds, const vf *a, const vf *b, int i1, int i2, int n)
{
	vf best = vf_set1(p->best > p->skip ? p->best : p->skip), zero = vf_set1(0);
	vm m = vm_and(vf_lt(zero, b[0]), vf_lt(best * b[0], a[0] * a[0]));

	UNROLL
	for (int k = 1; k < kinds; k++)
		m = vm_or(m, vm_and(vf_lt(zero, b[k]), vf_lt(best * b[k], a[k] * a[k])));
	if (vm_any(m))
		take(p, kinds, a, b, i1, i2, n - i2 < W ? n - i2 : W);
}

/* The largest a * a / b of the first n lanes. */
INLINE vf
largest(vf most, int kinds, const vf *a, const vf *b, int n)
{
	vm here = vi_lt(lanes(), vi_set1(n));

	UNROLL
	for (int k = 0; k < kinds; k++) {
		vm good = vm_and(here, vf_lt(vf_set1(0), b[k]));

		most = vf_max(vf_select(good, a[k] * a[k] / b[k], most), most);
	}
	return most;
}

/* Prefix sums, with something to read over. */
struct run {
	float	x[33 + 2 * W], w[33 + 2 * W];
};

INLINE void
run_sums(const struct run *r, int i1, int i2, vf *a, vf *b)
{
	vf x2 = vf_load(r->x + i2) - vf_set1(r->x[i1]);
	vf x3 = vf_set1(r->x[32]) - vf_load(r->x + i2);
	vf w2 = vf_load(r->w + i2) - vf_set1(r->w[i1]);
	vf w3 = vf_set1(r->w[32]) - vf_load(r->w + i2);

	UNROLL
	for (int k = 0; k < 2; k++) {
		const float *l = levels[k];
		vf l1 = vf_set1(l[1]), l2 = vf_set1(l[2]);

		a[k] = vf_set1(r->x[i1] * l[0]) + x2 * l1 + x3 * l2;
		b[k] = vf_set1(r->w[i1] * l[0] * l[0]) + w2 * l1 * l1 + w3 * l2 * l2;
	}
}

/* A run of 32 shares the shift: kind 1 is down. */
static void
part_run(const float *x, const float *w, const uint8_t *order, struct parting *p)
{
	vf a[2], b[2], most = vf_set1(0);
	struct run r;

	memset(&r, 0, sizeof r);
	for (int j = 0; j < 32; j++) {
		r.x[j + 1] = r.x[j] + w[order[j]] * x[order[j]];
		r.w[j + 1] = r.w[j] + w[order[j]];
	}
	for (int i1 = 6; i1 <= 12; i1 += 3)
		for (int i2 = i1; i2 <= 32; i2 += W) {
			run_sums(&r, i1, i2, a, b);
			most = largest(most, 2, a, b, 33 - i2);
		}
	p->skip = mark(most, r.w[32]);
	for (int i1 = 0; i1 <= 32; i1++)
		for (int i2 = i1; i2 <= 32; i2 += W) {
			run_sums(&r, i1, i2, a, b);
			consider(p, 2, a, b, i1, i2, 33);
		}
}

/* The same, of the elements in either half. */
struct pair {
	float	x[2][17 + 2 * W], w[2][17 + 2 * W];
};

INLINE void
pair_sums(const struct pair *r, int i1, int i2, vf *a, vf *b)
{
	vf ah[2][2], bh[2][2];

	UNROLL
	for (int h = 0; h < 2; h++) {
		const float *x = r->x[h], *w = r->w[h];
		vf s = vf_set1(x[i1]) + vf_load(x + i2), w2 = vf_load(w + i2);
		float up = w[16] * 1.125f * 1.125f + w[i1] * 0.75f;
		float down = w[16] * 0.875f * 0.875f + w[i1] * 1.25f;

		ah[h][0] = vf_set1(x[16] * 1.125f) - s;
		ah[h][1] = vf_set1(x[16] * 0.875f) - s;
		bh[h][0] = vf_set1(up) + w2 * vf_set1(-1.25f);
		bh[h][1] = vf_set1(down) + w2 * vf_set1(-0.75f);
	}
	UNROLL
	for (int k = 0; k < 4; k++) {
		a[k] = ah[0][k >> 1] + ah[1][k & 1];
		b[k] = bh[0][k >> 1] + bh[1][k & 1];
	}
}

/* Of 16 each half has its own shift: kinds ++ +- -+ --. */
static void
part_pair(const float *x, const float *w, const uint8_t *order, struct parting *p)
{
	vf a[4], b[4], most = vf_set1(0);
	struct pair r;

	memset(&r, 0, sizeof r);
	for (int j = 0; j < 16; j++)
		for (int h = 0; h < 2; h++) {
			int mine = order[j] / 8 == h;

			r.x[h][j + 1] = mine ? r.x[h][j] + w[order[j]] * x[order[j]] : r.x[h][j];
			r.w[h][j + 1] = mine ? r.w[h][j] + w[order[j]] : r.w[h][j];
		}
	for (int i1 = 3; i1 <= 6; i1++)
		for (int i2 = i1; i2 <= 16; i2 += W) {
			pair_sums(&r, i1, i2, a, b);
			most = largest(most, 4, a, b, 17 - i2);
		}
	p->skip = mark(most, r.w[0][16] + r.w[1][16]);
	for (int i1 = 0; i1 <= 16; i1++)
		for (int i2 = i1; i2 <= 16; i2 += W) {
			pair_sums(&r, i1, i2, a, b);
			consider(p, 4, a, b, i1, i2, 17);
		}
}

static uint16_t
pick(const struct grid *g, unsigned cell, float s, const float *x, const float *w,
    const float *level)
{
	uint32_t first = g->first[cell];
	float term[32], delta;

	for (int i = 0; i < 32; i++) {
		delta = s * level[i % 4] - x[i / 4];
		term[i] = w[i / 4] * delta * delta;
	}
	return pick2(g->list + first, g->first[cell + 1] - first, term);
}

static void
fit(const struct codebook *c, const struct grid *g, const float *x, const float *w,
    const float *v, float largest, struct codebook_fit *f)
{
	struct parting p = { 0, -FLT_MAX, -FLT_MAX, -1, -1, 0 };
	int n = c->len, groups = n / 8, off = 0, code, down;
	float sa = 0, sb = 0, q;
	uint8_t order[32];

	(void)v;
	(void)largest;
	sort(n, x, order);
	(n == 32 ? part_run : part_pair)(x, w, order, &p);
	if (p.i1 < 0)
		return;
	down = n == 32 ? 3 * p.kind : p.kind >> 1 | (p.kind & 1) << 1;
	for (int j = 0; j < n; j++) {
		code = j < p.i1 ? 0 : j < p.i2 ? 1 : 2;
		code = p.scale < 0 ? 2 - code : code;
		f->point[order[j] / 8] |= (uint16_t)(code << order[j] % 8 * 2);
	}
	f->scale = p.scale < 0 ? -p.scale : p.scale;
	f->down = (uint8_t)(p.scale < 0 ? down ^ 3 : down);
	for (int i = 0; i < groups; i++) {
		unsigned cell = grid_cell(g, f->point[i]);

		if (g->index[cell] != GRID_NONE)
			continue;
		off = 1;
		f->point[i] = pick(g, cell, f->scale, x + 8 * i, w + 8 * i,
		    levels[f->down >> 2 * i / groups & 1]);
	}
	if (!off)
		return;
	for (int k = 0; k < n; k++) {
		q = levels[f->down >> 2 * k / n & 1][f->point[k / 8] >> k % 8 * 2 & 3];
		sa += w[k] * q * x[k];
		sb += w[k] * q * q;
	}
	if (sa > 0 && sb > 0)
		f->scale = sa / sb;
}

static const struct codebook_search search = { fit, NULL };

void
KERNEL(iq1_s_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq1_s, &search, dst, x, n, qw);
}

void
KERNEL(iq1_m_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq1_m, &search, dst, x, n, qw);
}
