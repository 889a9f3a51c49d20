/* SPDX-License-Identifier: MIT */
/*
 * encode.c -- blocks of the codebook types around a search: weights, signs,
 * scales of scales.  ggml's bytes, its faults included.
 */
#include <math.h>

#include "apr/codebook.h"
#include "apr/float.h"

enum { N = 256 };

/* A block at work. */
struct work {
	float	 w[N], scale[16];
	uint16_t point[64];		/* packed */
	bool	 empty[16];
	struct codebook_block b;
};

void
codebook_weigh(const struct codebook *c, const float *x, const float *qw, float *w)
{
	float sigma2 = 0;
	int i;

	for (i = 0; i < N; i++)
		sigma2 += x[i] * x[i];
	sigma2 = c->energy * sigma2 / N;
	for (i = 0; i < N; i++)
		if (qw)
			w[i] = qw[i] * sqrtf(sigma2 + x[i] * x[i]);
		else if (c->demands)
			w[i] = sqrtf(sigma2 + x[i] * x[i]);
		else if (c == &codebook_iq2_s)
			w[i] = 0.25f * sigma2 + x[i] * x[i];
		else
			w[i] = x[i] * x[i];
}

/* Magnitudes of eight elements to a, their signs as bits.  Where these must
 * be even in number the cheapest is told a lie, and its a is below 0. */
static uint8_t
take_signs(const float *x, const float *w, bool even, float *a)
{
	unsigned bits = 0, odd = 0;
	float least, cost;
	int i, k = 0;

	for (i = 0; i < 8; i++) {
		a[i] = x[i] >= 0 ? x[i] : -x[i];
		if (!(x[i] >= 0)) {
			bits |= 1u << i;
			odd ^= 1;
		}
	}
	if (even && odd) {
		least = w[0] * x[0] * x[0];
		for (i = 1; i < 8; i++) {
			cost = w[i] * x[i] * x[i];
			if (cost < least) {
				least = cost;
				k = i;
			}
		}
		a[k] = -a[k];
		bits ^= 1u << k;
	}
	return (uint8_t)bits;
}

static bool
is_empty(const struct codebook *c, float max)
{
	return max < c->empty || max == 0;
}

/* Sub-block s of IQ2 or IQ3. */
static void
fit_magnitudes(const struct codebook *c, const struct codebook_search *search,
    const struct grid *g, const float *x, struct work *k, int s)
{
	float a[32] = { 0 }, v[32], max, largest, *w = k->w + s * c->len;
	int i, groups = c->len / g->group;
	uint8_t *sign = k->b.sign + s * c->len / 8;
	struct codebook_fit f;

	for (i = 0; i < c->len; i += 8)
		sign[i / 8] = take_signs(x + i, w + i, c->even, a + i);
	max = a[0];
	for (i = 1; i < c->len; i++)
		max = a[i] > max ? a[i] : max;
	largest = max;
	if (!(k->empty[s] = is_empty(c, max))) {
		f.scale = max / (float)(2 * g->codes - 1);
		if (c == &codebook_iq2_xxs) {
			f.scale = search->start(c->len, a, w);
			largest = f.scale * 3;
			k->empty[s] = largest <= 0;
		}
	}
	if (k->empty[s]) {
		memset(sign, 0, c->len / 8);
		return;
	}
	for (i = 0; i < c->len; i++)
		v[i] = sqrtf(w[i]);
	memset(f.point, 0, sizeof f.point);
	search->fit(c, g, a, w, v, largest, &f);
	if (f.scale < 0) {
		f.scale = -f.scale;
		for (i = 0; i < c->len / 8; i++)
			sign[i] = (uint8_t)~sign[i];
	}
	k->scale[s] = f.scale;
	memcpy(k->point + s * groups, f.point, (size_t)groups * sizeof *f.point);
}

/* Sub-block s of IQ1. */
static void
fit_levels(const struct codebook *c, const struct codebook_search *search,
    const struct grid *g, const float *x, struct work *k, int s)
{
	int i, groups = c->len / 8;
	struct codebook_fit f = { .scale = 0 };
	float max = 0;

	for (i = 0; i < c->len; i++)
		max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
	if (!is_empty(c, max))
		search->fit(c, g, x, k->w + s * c->len, NULL, max, &f);
	for (i = 0; i < groups; i++) {
		k->point[s * groups + i] = f.point[i];
		k->b.sign[s * groups + i] = f.down >> 2 * i / groups & 1;
	}
	k->scale[s] = f.scale;
}

/* Odd codes for the scales, the largest of which has the code top. */
static float
fit_scales(struct work *k, int subs, int top)
{
	float max = 0, d, id;
	int s;

	for (s = 0; s < subs; s++)
		max = k->scale[s] > max ? k->scale[s] : max;
	if (max == 0) {
		memset(k->b.scale, 0, sizeof k->b.scale);
		return 0;
	}
	d = max / (float)(2 * top + 1);
	id = 1 / d;
	for (s = 0; s < subs; s++)
		k->b.scale[s] = (uint8_t)clamp(near(0.5f * (id * k->scale[s] - 1)), 0, top);
	return d;
}

/* IQ1_M fits the block's scale once more, with all else settled. */
static float
refit(const struct grid *g, const float *x, const struct work *k, float d)
{
	float a = 0, b = 0, q, wq;
	unsigned packed;
	int i, l;

	for (i = 0; i < N; i++) {
		l = 2 * k->b.scale[i / 16] + 1;
		packed = g->point[k->b.index[i / 8]];
		q = (float)((int)(packed >> 2 * (i % 8) & 3) - 1);
		q += k->b.sign[i / 8] ? -0.125f : 0.125f;
		q *= (float)l;
		wq = k->w[i] * q;
		a += wq * x[i];
		b += wq * q;
	}
	return b > 0 ? a / b : d;
}

/* In IQ3_S a sub-block of zeros takes no place among low index bytes and
 * signs, so that those behind it are read by others.  Files have it so. */
static void
close_ranks(struct work *k)
{
	uint16_t low[64] = { 0 };
	uint8_t sign[32] = { 0 };
	int i, r = 0, s;

	for (s = 0; s < 8; s++) {
		if (k->empty[s])
			continue;
		for (i = 0; i < 8; i++)
			low[8 * r + i] = k->b.index[8 * s + i] & 255;
		memcpy(sign + 4 * r++, k->b.sign + 4 * s, 4);
	}
	for (i = 0; i < 64; i++)
		k->b.index[i] = (uint16_t)((k->b.index[i] & 256) | low[i]);
	memcpy(k->b.sign, sign, sizeof sign);
}

static void
encode_block(const struct codebook *c, const struct codebook_search *search,
    const struct grid *g, uint8_t *p, const float *x, const float *qw)
{
	int i, s, subs = N / c->len, groups = N / g->group;
	bool iq1 = c->grid == GRID_IQ1;
	struct work k;
	float d;

	memset(&k, 0, sizeof k);
	codebook_weigh(c, x, qw, k.w);
	for (s = 0; s < subs; s++)
		(iq1 ? fit_levels : fit_magnitudes)(c, search, g, x + s * c->len, &k, s);
	for (i = 0; i < groups; i++)
		k.b.index[i] = g->index[grid_cell(g, k.point[i])];
	d = fit_scales(&k, subs, iq1 ? 7 : 15);
	if (d == 0 && c->even) {
		memset(p, 0, c->bytes);
		return;
	}
	if (d == 0 && iq1)
		memset(k.b.sign, 0, sizeof k.b.sign);
	if (d != 0 && c == &codebook_iq1_m)
		d = refit(g, x, &k, d);
	if (c == &codebook_iq3_s)
		close_ranks(&k);
	k.b.d = f16_from(d * c->stored);
	c->put(p, &k.b);
}

void
codebook_encode(const struct codebook *c, const struct codebook_search *search,
    uint8_t *p, const float *x, size_t n, const float *qw)
{
	const struct grid *g = grid_get(c->grid);

	for (; n >= N; n -= N, p += c->bytes, x += N) {
		encode_block(c, search, g, p, x, qw);
		if (qw)
			qw += N;
	}
}
