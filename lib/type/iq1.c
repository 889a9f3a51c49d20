/* SPDX-License-Identifier: MIT */
/*
 * iq1.c -- the codebook types IQ1_S and IQ1_M: levels -1, 0, 1 that an eighth
 * shifts up or down.  What is around the search is codebook.h's.
 */
#include <float.h>

#include "apr/codebook.h"
#include "block.h"
#include "efforts.h"

enum { N = 256 };

static const float levels[2][3] = {
	{ -0.875f, 0.125f, 1.125f },
	{ -1.125f, -0.125f, 0.875f },	/* down */
};

/* Element numbers by rising x; among equals the order stays. */
static void
sort(int n, const float *x, uint8_t *order)
{
	int i, j;

	for (i = 0; i < n; i++) {
		for (j = i; j > 0 && x[order[j - 1]] > x[i]; j--)
			order[j] = order[j - 1];
		order[j] = (uint8_t)i;
	}
}

/* The point nearest to x at scale s, of those in the cell's list. */
static unsigned
pick(const struct grid *g, unsigned cell, float s, const float *x, const float *w,
    const float *level)
{
	float term[8][4], delta, err, best = FLT_MAX;
	unsigned found = g->list[g->first[cell]];
	uint32_t i;
	int c, k;

	for (k = 0; k < 8; k++)
		for (c = 0; c < 3; c++) {
			delta = s * level[c] - x[k];
			term[k][c] = w[k] * delta * delta;
		}
	for (i = g->first[cell]; i < g->first[cell + 1]; i++) {
		err = 0;
		for (k = 0; k < 8; k++)
			err += term[k][g->list[i] >> 2 * k & 3];
		if (err < best) {
			best = err;
			found = g->list[i];
		}
	}
	return found;
}

/* Where the sorted elements part: below i1, from i2 on, and between. */
struct parting {
	float	scale, best;
	int	i1, i2, down;
};

static inline void
consider(struct parting *p, float a, float b, int i1, int i2, int down)
{
	if (b > 0 && a * a > p->best * b)
		*p = (struct parting){ a / b, a / b * a, i1, i2, down };
}

/* A run of 32 shares the shift. */
static void
part_run(const float *x, const float *w, const uint8_t *order, struct parting *p)
{
	float sx[33], sw[33], x1, x2, x3, w1, w2, w3, a, b;
	int i1, i2, j;

	sx[0] = sw[0] = 0;
	for (j = 0; j < 32; j++) {
		sx[j + 1] = sx[j] + w[order[j]] * x[order[j]];
		sw[j + 1] = sw[j] + w[order[j]];
	}
	for (i1 = 0; i1 <= 32; i1++)
		for (i2 = i1; i2 <= 32; i2++) {
			x1 = sx[i1];
			x2 = sx[i2] - sx[i1];
			x3 = sx[32] - sx[i2];
			w1 = sw[i1];
			w2 = sw[i2] - sw[i1];
			w3 = sw[32] - sw[i2];
			for (j = 0; j < 2; j++) {
				const float *l = levels[j];

				a = x1 * l[0] + x2 * l[1] + x3 * l[2];
				b = w1 * l[0] * l[0] + w2 * l[1] * l[1] + w3 * l[2] * l[2];
				consider(p, a, b, i1, i2, 3 * j);
			}
		}
}

/* Of 16 each half has its own shift, but both are parted by the same values:
 * sums for the halves, from totals minus what is below the two places. */
static void
part_pair(const float *x, const float *w, const uint8_t *order, struct parting *p)
{
	float sx[2][17], sw[2][17], a[2][2], b[2][2], s;
	int h, i1, i2, j, k;

	sx[0][0] = sx[1][0] = sw[0][0] = sw[1][0] = 0;
	for (j = 0; j < 16; j++)
		for (h = 0; h < 2; h++) {
			bool mine = order[j] / 8 == h;

			sx[h][j + 1] = mine ? sx[h][j] + w[order[j]] * x[order[j]] : sx[h][j];
			sw[h][j + 1] = mine ? sw[h][j] + w[order[j]] : sw[h][j];
		}
	for (i1 = 0; i1 <= 16; i1++)
		for (i2 = i1; i2 <= 16; i2++) {
			for (h = 0; h < 2; h++) {
				s = sx[h][i1] + sx[h][i2];
				a[h][0] = sx[h][16] * 1.125f - s;
				a[h][1] = sx[h][16] * 0.875f - s;
				b[h][0] = sw[h][16] * 1.125f * 1.125f + sw[h][i1] * 0.75f +
				    sw[h][i2] * -1.25f;
				b[h][1] = sw[h][16] * 0.875f * 0.875f + sw[h][i1] * 1.25f +
				    sw[h][i2] * -0.75f;
			}
			for (k = 0; k < 4; k++)
				consider(p, a[0][k >> 1] + a[1][k & 1],
				    b[0][k >> 1] + b[1][k & 1], i1, i2, k >> 1 | (k & 1) << 1);
		}
}

static void
fit(const struct codebook *c, const struct grid *g, const float *x, const float *w,
    const float *v, float largest, struct codebook_fit *f)
{
	struct parting p = { 0, -FLT_MAX, -1, -1, 0 };
	int n = c->len, groups = n / 8, i, j, k, code;
	float sa = 0, sb = 0, q;
	bool off = false;
	uint8_t order[32];

	(void)v;
	(void)largest;
	sort(n, x, order);
	(n == 32 ? part_run : part_pair)(x, w, order, &p);
	if (p.i1 < 0)
		return;
	if (p.scale < 0)
		p.down ^= 3;
	for (j = 0; j < n; j++) {
		code = j < p.i1 ? 0 : j < p.i2 ? 1 : 2;
		code = p.scale < 0 ? 2 - code : code;
		f->point[order[j] / 8] |= (uint16_t)(code << order[j] % 8 * 2);
	}
	f->scale = fabsf(p.scale);
	f->down = (uint8_t)p.down;
	for (i = 0; i < groups; i++) {
		unsigned cell = grid_cell(g, f->point[i]);

		if (g->index[cell] != GRID_NONE)
			continue;
		off = true;
		f->point[i] = (uint16_t)pick(g, cell, f->scale, x + 8 * i, w + 8 * i,
		    levels[f->down >> 2 * i / groups & 1]);
	}
	if (!off)
		return;
	for (k = 0; k < n; k++) {
		q = levels[f->down >> 2 * k / n & 1][f->point[k / 8] >> k % 8 * 2 & 3];
		sa += w[k] * q * x[k];
		sb += w[k] * q * q;
	}
	if (sa > 0 && sb > 0)
		f->scale = sa / sb;
}

static const struct codebook_search search = { fit, NULL };

static void
decode(const struct codebook *c, float *dst, const uint8_t *p, size_t n)
{
	struct codebook_block b;
	unsigned packed;
	float d, delta;
	int i, j;

	for (; n >= N; n -= N, p += c->bytes)
		for (c->get(&b, p), i = 0; i < 32; i++) {
			d = f16_to(b.d) * (float)(2 * b.scale[8 * i / c->len] + 1);
			delta = b.sign[i] ? -0.125f : 0.125f;
			packed = grid_iq1_s[b.index[i]];
			for (j = 0; j < 8; j++)
				*dst++ = d * ((float)(packed >> 2 * j & 3) - 1 + delta);
		}
}

static void
iq1_s_decode(float *dst, const void *src, size_t n)
{
	decode(&codebook_iq1_s, dst, src, n);
}

static void
iq1_s_encode(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq1_s, &search, dst, x, n, qw);
}

const struct type type_iq1_s = {
	.name = "IQ1_S", .ggml = 19, .block = N, .bytes = 50,
	.to_f32 = iq1_s_decode, .from_f32 = iq1_s_encode,
	.effort = { [EFFORT_HIGH] = high_iq1_s },
};

static void
iq1_m_decode(float *dst, const void *src, size_t n)
{
	decode(&codebook_iq1_m, dst, src, n);
}

static void
iq1_m_encode(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq1_m, &search, dst, x, n, qw);
}

const struct type type_iq1_m = {
	.name = "IQ1_M", .ggml = 29, .block = N, .bytes = 56,
	.to_f32 = iq1_m_decode, .from_f32 = iq1_m_encode,
	.effort = { [EFFORT_HIGH] = high_iq1_m },
};
