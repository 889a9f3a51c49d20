/* SPDX-License-Identifier: MIT */
/*
 * iq23.c -- the searches of IQ2 and IQ3: a lane is an inverse scale tried,
 * and where that leads off the grid, a point near by.
 */
#include <apr/codebook.h>

#include "pick.h"
#include "simd.h"

enum { TRIES = 32 };		/* of them up to 31 */

/* Where a group's terms come from: x and weights, each as often as a code has
 * values, and what the codes stand for. */
struct group {
	float x[32], w[32];
};

INLINE void
group_set(struct group *q, const float *x, const float *w, int bits)
{
	for (int i = 0; i < 32; i++) {
		q->x[i] = x[i >> bits];
		q->w[i] = w[i >> bits];
	}
}

INLINE uint16_t
pick(const struct grid *g, uint32_t cell, float s, const struct group *q, int bits)
{
	static const float level[16] = { 1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15 };
	static const float level2[16] = { 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7 };
	const uint16_t *list = g->list + g->first[cell];
	uint32_t n = g->first[cell + 1] - g->first[cell];
	vf l = vf_load(bits == 2 ? level2 : level), delta;
	float term[32];

	UNROLL
	for (int i = 0; i < 32; i += W) {
		if (W == 4 && bits == 3)
			l = vf_load(level + i % 8);
		delta = vf_set1(s) * l - vf_load(q->x + i);
		vf_store(term + i, vf_load(q->w + i) * delta * delta);
	}
	return bits == 2 ? pick2(list, n, term) : pick3(list, n, term);
}

/* Codes of a group at W inverse scales: packed, and as a cell. */
INLINE void
codes(const float *x, vf id, int bits, int top, vi *packed, vi *cell)
{
	vi p = vi_set1(0), c = vi_set1(0), code;
	int scale = 1, group = bits == 2 ? 8 : 4;

	UNROLL
	for (int k = 0; k < group; k++) {
		code = vi_near(vf_set1(0.5f) * (id * vf_set1(x[k]) - vf_set1(1)));
		code = vi_max(vi_min(code, vi_set1(top)), vi_set1(0));
		p |= code << bits * k;
		c += code * vi_set1(scale);
		scale *= top + 1;
	}
	*packed = p;
	*cell = bits == 2 ? c : p;
}

/* The sums that decide about W tries. */
INLINE void
sums(int len, int bits, const int32_t (*packed)[TRIES], const float *x, const float *w,
    vf *a, vf *b)
{
	vf sa = vf_set1(0), sb = vf_set1(0), q;
	int group = bits == 2 ? 8 : 4;

	for (int i = 0; i < len; i += group) {
		vi p = vi_load(packed[i / group]);

		UNROLL
		for (int k = 0; k < group; k++) {
			q = vi_float((p >> bits * k & vi_set1((1 << bits) - 1)) * vi_set1(2) + vi_set1(1));
			sa += vf_set1(w[i + k] * x[i + k]) * q;
			sb += vf_set1(w[i + k]) * q * q;
		}
	}
	*a = sa;
	*b = sb;
}

INLINE void
fit(const struct codebook *c, const struct grid *g, const float *x, const float *w,
    const float *v, float largest, struct codebook_fit *f, int bits)
{
	int32_t packed[8][TRIES], cell[8][TRIES];
	float id[TRIES], s[TRIES], sa[TRIES], sb[TRIES], best = 0;
	int top = bits == 2 ? 2 : 7, group = bits == 2 ? 8 : 4, groups = c->len / group;
	int tries = 2 * c->tries + 1, kept = -1;
	/* bit i: group i is a point of the grid as it is */
	unsigned on[TRIES] = { 0 }, all = (1u << groups) - 1, redo;
	struct group q[8];
	vf a, b;
	vi p, z;

	for (int t = 0; t < tries; t += W) {
		vf step = vi_float(lanes() + vi_set1(t - c->tries));

		a = (vf_set1((float)(2 * top + 1)) + vf_set1(c->step) * step) / vf_set1(largest);
		vf_store(id + t, a);
		vf_store(s + t, vf_set1(1) / a);
	}
	for (int i = 0; i < groups; i++) {
		group_set(&q[i], x + i * group, v + i * group, bits);
		for (int t = 0; t < tries; t += W) {
			codes(x + i * group, vf_load(id + t), bits, top, &p, &z);
			vi_store(packed[i] + t, p);
			vi_store(cell[i] + t, z);
		}
		for (int t = 0; t < tries; t++) {
			uint32_t at = (uint32_t)cell[i][t];

			if (g->index[at] != GRID_NONE)
				on[t] |= 1u << i;
			else
				packed[i][t] = pick(g, at, s[t], &q[i], bits);
		}
	}
	for (int t = 0; t < tries; t += W) {
		sums(c->len, bits, (const int32_t (*)[TRIES])&packed[0][t], x, w, &a, &b);
		vf_store(sa + t, a);
		vf_store(sb + t, b);
	}
	for (int t = 0; t < tries; t++)
		if (sb[t] > 0 && sa[t] * sa[t] > best * sb[t]) {
			f->scale = sa[t] / sb[t];
			best = f->scale * sa[t];
			kept = t;
		}
	for (int i = 0; kept >= 0 && i < groups; i++)
		f->point[i] = (uint16_t)packed[i][kept];

	/* Once more at the scale found, for what lay off the grid. */
	redo = kept >= 0 ? all & ~on[kept] : c == &codebook_iq3_s ? all : 0;
	if (c == &codebook_iq2_xxs || (c == &codebook_iq3_s && redo))
		redo = all;
	if (!(f->scale > 0) || !redo)
		return;
	for (int i = 0; i < groups; i++) {
		if (redo >> i & 1) {
			codes(x + i * group, vf_set1(1 / f->scale), bits, top, &p, &z);
			f->point[i] = (uint16_t)p[0];
			if (g->index[z[0]] == GRID_NONE)
				f->point[i] = pick(g, (uint32_t)z[0], f->scale, &q[i], bits);
		}
		vi_store(packed[i], vi_set1(f->point[i]));
	}
	sums(c->len, bits, (const int32_t (*)[TRIES])packed, x, w, &a, &b);
	if (b[0] > 0)
		f->scale = a[0] / b[0];
}

static void
fit2(const struct codebook *c, const struct grid *g, const float *x, const float *w,
    const float *v, float largest, struct codebook_fit *f)
{
	fit(c, g, x, w, v, largest, f, 2);
}

static void
fit3(const struct codebook *c, const struct grid *g, const float *x, const float *w,
    const float *v, float largest, struct codebook_fit *f)
{
	fit(c, g, x, w, v, largest, f, 3);
}

enum { START = 4, SWEEPS = 5, STARTS = 9 };

/* The least error among nine inverse scales; the middle one's codes are bytes
 * and not capped. */
static float
start_scale(int n, const float *x, const float *w, float max)
{
	float is[16], err[16], found;
	int best = STARTS / 2;

	for (int t = 0; t < STARTS; t += W) {
		vi number = lanes() + vi_set1(t - STARTS / 2), q;
		vf v = (vf_set1(0.1f) * vi_float(number) + vf_set1(START)) / vf_set1(max);
		vf scale = vf_set1(1) / v, sum = vf_set1(0), diff;
		vm middle = vi_eq(number, vi_set1(0));

		vf_store(is + t, v);
		for (int i = 0; i < n; i++) {
			q = vi_near(v * vf_set1(x[i]));
			q = vi_select(middle, q & vi_set1(255), vi_min(q, vi_set1(START)));
			diff = vf_set1(x[i]) - scale * vi_float(q);
			sum += vf_set1(w[i]) * diff * diff;
		}
		vf_store(err + t, sum);
	}
	found = err[best];
	for (int t = 0; t < STARTS; t++)
		if (t != STARTS / 2 && err[t] < found) {
			found = err[t];
			best = t;
		}
	return is[best];
}

static inline int
near(float v)
{
	uint32_t u;

	v += 12582912.0f;
	memcpy(&u, &v, sizeof u);
	return (int)(u & 0x7fffff) - 0x400000;
}

/* Coordinate descent: one element after the other, as each sees the sums. */
static float
start(int n, const float *x, const float *w)
{
	float max = 0, is, a = 0, b = 0, a1, b1, l;
	uint8_t code[32];
	bool changed = true;
	int i, q;

	for (i = 0; i < n; i++)
		max = x[i] > max ? x[i] : max;
	if (max < 1e-15f)
		return 0;
	is = start_scale(n, x, w, max);
	for (i = 0; i < n; i++) {
		q = near(is * x[i]);
		q = q > START ? START : q;
		code[i] = (uint8_t)q;
		a += w[i] * x[i] * (float)q;
		b += w[i] * (float)q * (float)q;
	}
	for (int sweep = 0; changed && sweep < SWEEPS; sweep++) {
		changed = false;
		for (i = 0; i < n; i++) {
			l = code[i];
			a1 = a - w[i] * x[i] * l;
			b1 = b - w[i] * l * l;
			if (!(a1 > 0 && b1 > 0))
				continue;
			q = near(x[i] * b1 / a1);
			q = q > START ? START : q;
			if (q == code[i])
				continue;
			l = (float)q;
			a1 += w[i] * x[i] * l;
			b1 += w[i] * l * l;
			if (a1 * a1 * b > a * a * b1) {
				code[i] = (uint8_t)q;
				a = a1;
				b = b1;
				changed = true;
			}
		}
	}
	return b > 0 ? a / b : 0;
}

static const struct codebook_search search2 = { fit2, start }, search3 = { fit3, NULL };

void
KERNEL(iq2_xxs_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq2_xxs, &search2, dst, x, n, qw);
}

void
KERNEL(iq2_xs_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq2_xs, &search2, dst, x, n, qw);
}

void
KERNEL(iq2_s_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq2_s, &search2, dst, x, n, qw);
}

void
KERNEL(iq3_xxs_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq3_xxs, &search3, dst, x, n, qw);
}

void
KERNEL(iq3_s_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	codebook_encode(&codebook_iq3_s, &search3, dst, x, n, qw);
}
