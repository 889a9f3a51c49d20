/* SPDX-License-Identifier: MIT */
/*
 * range_tile.h -- W groups of elements, one a lane, on the way of range.h's
 * search: what a step makes of them, its codes, sums and error.
 */
#ifndef KERNEL_RANGE_TILE_H
#define KERNEL_RANGE_TILE_H

#include <math.h>
#include <stdbool.h>

#include "vec.h"

enum { LEN_MAX = 32, TILES_MAX = 8 };

/* Weights: sqrt of the mean square + |x|, |x|, qw * sqrt(base + x * x). */
enum weights { BY_SPREAD, BY_SIZE, BY_IMATRIX };

/* Inverse scales (first + step * s + top) / range, s from 0 to steps. */
struct walk {
	int		top;		/* largest code */
	float		first, step;
	int		steps;
	enum weights	weights;
	bool		absolute;	/* error |diff| rather than its square */
};

/* Where codes may lie before they are clamped; BEYOND: where near() is odd. */
enum reach { INSIDE, BELOW, ABOVE, ANYWHERE, BEYOND };

/* W groups.  A vector holds what there is one of in a group, lane by lane. */
struct tile {
	vf	x[LEN_MAX], w[LEN_MAX];	/* w: qw to begin with */
	vf	low, max, base;		/* least and largest x */
	vf	min;			/* where codes begin: the best line's */
	vf	scale, best;		/* of the best line, and its error */
	vf	most;			/* quick: it is between best and this */
	vf	from_is, from_min;	/* what gave its codes */
	vf	from_l, from_l2;	/* quick: their sums */
	vf	is, a, b;		/* this step's: inverse scale, line */
	vf	l, l2;			/* quick: sums */
	vf	far;			/* quick: thrice the largest |x| */
	vf	sw, sx, sxx;		/* sums of w, w * x, w * x * x */
	vm	some, flat;		/* is there a line; are all x the same? */
	bool	tame;			/* no sum can overflow or vanish */
	enum reach reach;		/* of this step's codes */
	bool	lost;			/* this step's line is not the best */
	vf	code[LEN_MAX];		/* not 4096 bytes from x or w */
};

/* What the searches found, group by group: x ~ scale * code - min. */
struct ranges {
	float	scale[TILES_MAX * W], min[TILES_MAX * W];
	float	is[TILES_MAX * W], base[TILES_MAX * W];	/* codes: near(is * (x - base)) */
	float	weight[TILES_MAX * W];			/* sum of w */
};

/*
 * Errors are summed with fused products, which are faster and almost the
 * reference's.  Where that does not tell which line is better, its way does.
 */
INLINE bool
quick(const struct walk *k)
{
	return k->weights == BY_SPREAD && k->top == 15;
}

struct sums {
	vf	l, l2, xl;		/* of w * code, w * code * code, w * x * code */
};

INLINE vf
range_code(enum reach reach, int top, vf is, vf min, vf x)
{
	vf v = is * (x - min);

	if (reach == BEYOND)
		return vi_float(vi_max(vi_min(vi_near(v), vi_set1(top)), vi_set1(0)));
	v = vf_round(v);
	/* Floats are in the order of their bits here, and integers have more
	 * units to go to. */
	if (reach == ABOVE || reach == ANYWHERE)
		v = vi_bits(vi_min(vf_bits(v), vf_bits(vf_set1((float)top))));
	if (reach == BELOW || reach == ANYWHERE)
		v = vi_bits(vi_max(vf_bits(v), vi_set1(0)));
	return v;
}

/* What a code that is off by this much adds to the error. */
INLINE vf
range_loss(const struct walk *k, vf w, vf diff)
{
	if (k->absolute)
		diff = vf_abs(diff);
	else
		diff *= diff;
	return w * diff;
}

/*
 * This step's inverse scale, and what codes it gives.  Products only grow with
 * x, in floats too, so the ends of x tell: the largest comes to at.
 */
INLINE void
range_prepare(const struct walk *k, float at, struct tile *t)
{
	const vf range = t->max - t->min, is = vf_set1(at) / range, low = is * (t->low - t->min);
	const vm calm = vm_and(vf_le(vf_set1(0x1p-60f), range), vf_le(range, vf_set1(0x1p60f)));
	bool above = at > (float)k->top + 0.4f;

	t->is = is;
	if (vm_all(vm_and(calm, vf_le(vf_set1(-0.5f), low))))
		t->reach = above ? ABOVE : INSIDE;
	else if (vm_all(vm_and(calm, vf_le(vf_set1(quick(k) ? -8 : -1e6f), low))))
		t->reach = above ? ANYWHERE : BELOW;
	else
		t->reach = BEYOND;
}

/* An element's error on the line a * code + b, to the others'. */
INLINE vf
range_add(const struct walk *k, vf w, vf a, vf code, vf b, vf x, vf err)
{
	vf diff;

	if (!quick(k))
		return err + range_loss(k, w, a * code + b - x);
	diff = vf_fma(a, code, b) - x;
	return vf_fma(w * diff, diff, err);
}

/*
 * How far is a sum of those from the reference's?  80 * 2^-24 of it, and each
 * element's error times (3 |x| + |b|) * 2^-24 besides, of which 2^-17 of it and
 * the square times sw * 2^17 are more; both doubled here.
 */
INLINE vf
range_slack(const struct tile *t, vf b, vf error)
{
	vf reach = t->far - b;

	return error * vf_set1(0x1p-15f) + reach * reach * t->sw * vf_set1(0x1p-30f);
}

INLINE vf
range_weight(const struct walk *k, const struct tile *t, int i)
{
	vf x = t->x[i];

	if (k->weights == BY_IMATRIX)
		return t->w[i] * vf_sqrt(t->base + x * x);
	if (k->weights == BY_SPREAD)
		return t->base + vf_abs(x);
	return vf_abs(x);
}

/* Weights, what is the same in all steps, and the line from end to end. */
INLINE void
range_first(const struct walk *k, int n, enum reach reach, struct tile *t)
{
	/* 0 + -0 is 0, -0 + x is x: the first of a sum is as it is. */
	const vf is = t->is, min = t->min, scale = t->scale, none = vf_set1(-0.0f);
	vf sw = none, sx = none, sxx = none, err = vf_set1(0);

	for (int i = 0; i < n; i++) {
		vf x = t->x[i], w = range_weight(k, t, i), wx = w * x;

		t->w[i] = w;
		sw += w;
		sx += wx;
		if (k->weights == BY_SPREAD)
			sxx = vf_fma(wx, x, sxx);
		err = range_add(k, w, scale, range_code(reach, k->top, is, min, x), min, x, err);
	}
	t->sw = sw;
	t->sx = sx;
	if (k->weights == BY_SPREAD)
		t->sxx = sxx;
	t->best = err;
	if (quick(k)) {
		vf slack = range_slack(t, min, err);

		t->best = err - slack;
		t->most = vf_select(t->flat, vf_set1(-1), err + slack);
		/* This line is not the best for its codes. */
		t->from_l = t->from_l2 = vf_set1(NAN);
	}
	t->best = vf_select(t->flat, vf_set1(-1), t->best);
}

/*
 * Groups of n elements, one behind the other, to lanes.  Where there are
 * fewer than W the last one fills up.
 */
INLINE void
lanes_load(vf *r, int n, const float *x, int groups)
{
	UNROLL
	for (int i = 0; i < W; i++)
		r[i] = vf_load(x + (i < groups ? i : groups - 1) * n);
	vf_transpose(r);
}

INLINE void
range_load(int n, const float *x, const float *qw, int groups, struct tile *t)
{
	vf min, max, sum = vf_set1(0), r[W];

	for (int i = 0; i < n; i += W) {
		if (qw) {
			lanes_load(r, n, qw + i, groups);
			UNROLL
			for (int j = 0; j < W; j++)
				t->w[i + j] = r[j];
		}
		lanes_load(r, n, x + i, groups);
		if (i == 0)
			min = max = r[0];
		UNROLL
		for (int j = 0; j < W; j++) {
			t->x[i + j] = r[j];
			min = vf_min(r[j], min);
			max = vf_max(r[j], max);
			sum += r[j] * r[j];
		}
	}
	t->low = min;
	t->max = max;
	t->sw = sum;
}

/* The line from end to end; its inverse scale takes a while to come. */
INLINE void
range_begin(const struct walk *k, int n, struct tile *t)
{
	const vf zero = vf_set1(0), small = vf_set1(0x1p-30f), large = vf_set1(0x1p30f);
	vf min = t->low, max = t->max;

	if (k->weights == BY_SPREAD)
		t->base = vf_sqrt(t->sw / vf_set1((float)n));
	min = vf_select(vf_lt(zero, min), zero, min);
	t->flat = vf_eq(max, min);
	/* Any range will do for a group that has none. */
	max = vf_select(t->flat, vf_set1(1), max);
	t->max = max;
	t->min = t->from_min = min;
	if (quick(k))
		t->far = vf_set1(3) * vf_absmax(t->low, max);
	t->tame = vm_all(vm_and(vf_le(small, max - min), vf_le(max - min, large)));
	range_prepare(k, (float)k->top, t);
	t->from_is = t->is;
	t->scale = vf_set1(1) / t->is;
}

/* Codes and sums of a tile, and the error of another (or of none). */
INLINE struct sums
range_pass(const struct walk *k, int n, enum reach reach, struct tile *t, const struct tile *last,
    vf *error)
{
	const vf zero = vf_set1(0), is = t->is, min = t->min;
	const vf a = last ? last->a : zero, b = last ? last->b : zero;
	struct sums s = { zero, zero, zero };
	vf err = zero;

	for (int i = 0; i < n; i++) {
		vf x = t->x[i], l = range_code(reach, k->top, is, min, x), wl = t->w[i] * l;

		t->code[i] = l;
		s.l += wl;
		s.l2 += wl * l;
		s.xl += wl * x;
		if (last)
			err = range_add(k, last->w[i], a, last->code[i], b, last->x[i], err);
	}
	*error = err;
	return s;
}

/*
 * The reference's own: of this step's line, and of the best one.  Seldom
 * called, and not to be in the way of what is.
 */
static __attribute__((noinline, cold, unused)) vf
range_errors(const struct walk *k, int n, struct tile *t)
{
	vf err = vf_set1(0), best = err;

	for (int i = 0; i < n; i++) {
		vf x = t->x[i], l = range_code(BEYOND, k->top, t->from_is, t->from_min, x);

		err += range_loss(k, t->w[i], t->a * t->code[i] + t->b - x);
		best += range_loss(k, t->w[i], t->scale * l + t->min - x);
	}
	t->best = t->most = vf_select(t->flat, vf_set1(-1), best);
	return err;
}

#endif
