/* SPDX-License-Identifier: MIT */
/*
 * high_32.c -- a better block of the types with one half float for scale, or
 * two with the minimum: Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 IQ4_NL.
 *
 * From many scales to what fits their levels best, then by steps of the half
 * floats that are stored.
 */
#include "block.h"
#include "efforts.h"
#include "high.h"

enum { N = 32, MOVES = 6 };

/* The best block yet, as it would be stored. */
struct found {
	uint16_t d, m;
	float	 err;
	struct trials t;	/* of lane 0: the sums for it */
};

/* All lanes as halves; the best of them, if it is better. */
static bool
try_halves(const struct high *h, const uint16_t *d, const uint16_t *m, const float *x,
    const float *w, struct found *f, struct trials *t)
{
	int best, lane;

	for (lane = 0; lane < KERNEL_TRIALS; lane++) {
		t->scale[lane] = f16_to(d[lane]);
		t->min[lane] = -f16_to(m[lane]);
	}
	high_try(&h->levels, N, x, w, t);
	best = high_best(t);
	if (best < 0 || !(t->err[best] < f->err))
		return false;
	f->d = d[best];
	f->m = m[best];
	f->err = t->err[best];
	f->t.l[0] = t->l[best];
	f->t.ll[0] = t->ll[best];
	f->t.xl[0] = t->xl[best];
	return true;
}

/* From f's levels to what fits them, and steps from there, while that helps. */
static void
settle(const struct high *h, const float *x, const float *w, float sw, float swx, bool min,
    struct found *f)
{
	uint16_t d[KERNEL_TRIALS], m[KERNEL_TRIALS], d0, m0;
	struct trials t;
	float a, b;
	int lane, move;

	for (move = 0; move < MOVES; move++) {
		a = b = 0;
		if (min) {
			float l = f->t.l[0], ll = f->t.ll[0], xl = f->t.xl[0];
			float det = sw * ll - l * l;

			if (!(det > 0))
				return;
			a = (sw * xl - swx * l) / det;
			b = (ll * swx - l * xl) / det;
		} else if (f->t.ll[0] > 0) {
			a = f->t.xl[0] / f->t.ll[0];
		}
		d0 = f16_from(a);
		m0 = f16_from(b);
		for (lane = 0; lane < KERNEL_TRIALS; lane++) {
			d[lane] = high_step(d0, min ? lane % 4 - 1 : lane - 8);
			m[lane] = min ? high_step(m0, lane / 4 - 1) : 0;
		}
		if (!try_halves(h, d, m, x, w, f, &t))
			return;
	}
}

/* Scales that spread the values over a few levels more or less than there are,
 * and those again that fit what this gives. */
static void
spread(const struct high *h, const float *x, const float *w, float scale, float from,
    float step, float min, float sw, float swx, struct found *f)
{
	uint16_t d[KERNEL_TRIALS], m[KERNEL_TRIALS];
	struct trials t;
	float det;
	int k, lane;

	for (lane = 0; lane < KERNEL_TRIALS; lane++) {
		d[lane] = f16_from(scale / (from + step * (float)lane));
		m[lane] = f16_from(min);
	}
	for (k = 0; k < 3; k++) {
		try_halves(h, d, m, x, w, f, &t);
		for (lane = 0; lane < KERNEL_TRIALS; lane++) {
			if (h->min_high) {
				det = sw * t.ll[lane] - t.l[lane] * t.l[lane];
				if (!(det > 0))
					continue;
				d[lane] = f16_from((sw * t.xl[lane] - swx * t.l[lane]) / det);
				m[lane] = f16_from((t.ll[lane] * swx - t.l[lane] * t.xl[lane]) / det);
			} else if (t.ll[lane] > 0) {
				d[lane] = f16_from(t.xl[lane] / t.ll[lane]);
			}
		}
	}
}

static void
improve(const struct high *h, struct parts *b, const float *x, const float *w)
{
	struct found f = { .err = INFINITY };
	const struct levels *l = &h->levels;
	float low = x[0], high = x[0], max = 0, sw = 0, swx = 0, end[2];
	uint16_t d[KERNEL_TRIALS], m[KERNEL_TRIALS];
	struct trials t;
	int i;

	for (i = 0; i < N; i++) {
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
		max = fabsf(x[i]) > fabsf(max) ? x[i] : max;
		sw += w[i];
		swx += w[i] * x[i];
	}
	/* begin with the reference's */
	for (i = 0; i < KERNEL_TRIALS; i++) {
		d[i] = b->d;
		m[i] = b->m;
	}
	try_halves(h, d, m, x, w, &f, &t);
	settle(h, x, w, sw, swx, h->min_high != 0, &f);
	if (h->min_high) {
		end[0] = (float)l->high;
		spread(h, x, w, high - low, end[0] - 1.5f, 0.2f, low, sw, swx, &f);
	} else {
		end[0] = l->table ? l->table[l->low] : (float)l->low;
		end[1] = l->table ? l->table[l->high] : (float)l->high;
		for (i = 0; i < 2; i++)
			spread(h, x, w, max, end[i] * 0.9f, end[i] * 0.0125f, 0, sw, swx, &f);
	}
	settle(h, x, w, sw, swx, h->min_high != 0, &f);
	b->d = f.d;
	b->m = f.m;
	high_codes(h, f16_to(f.d), -f16_to(f.m), N, x, b->code);
}

#define HIGH(the_type, the_get, ...)							\
	static const struct high the_type = {						\
		.type = &type_##the_type, .get = the_get, .put = the_type##_put,	\
		.groups = 1, .len = N, .improve = improve, __VA_ARGS__			\
	};										\
	void										\
	high_##the_type(void *dst, const float *x, size_t n, const float *qw)		\
	{										\
		high_encode(&the_type, dst, x, n, qw);					\
	}
HIGH(q4_0, q4_0_get, .levels = { -8, 7, NULL },
    .weights = { PLAIN_ONE, true, true, 1, N })
HIGH(q4_1, q4_1_get, .levels = { 0, 15, NULL }, .min_high = 1,
    .weights = { PLAIN_ONE, true, true, 1, N })
HIGH(q5_0, q4_0_get, .levels = { -16, 15, NULL },
    .weights = { PLAIN_ONE, true, true, 1, N })
HIGH(q5_1, q4_1_get, .levels = { 0, 31, NULL }, .min_high = 1,
    .weights = { PLAIN_ONE, true, true, 1, N })
HIGH(q8_0, q8_0_get, .levels = { -127, 127, NULL }, .code0 = 1,
    .weights = { PLAIN_ONE, false, false, 1, N })
HIGH(iq4_nl, iq4_nl_get, .levels = { 0, 15, iq4_levels },
    .weights = { PLAIN_SQUARE, true, false, 2, N })
