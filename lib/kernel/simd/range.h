/* SPDX-License-Identifier: MIT */
/*
 * range.h -- lib/type/search.c's fit_range() for W groups of elements at once,
 * a group a lane.
 *
 * Every lane does what the scalar code does, in its order, so the bytes are
 * the same.  What is saved besides: codes that surely lie inside 0..top go
 * without clamps; the error of one tile is summed in the loop that makes the
 * codes of another, so that adders and multipliers are both busy; and a step
 * that surely loses in all lanes goes without that error.
 */
#ifndef KERNEL_RANGE_H
#define KERNEL_RANGE_H

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

/*
 * In which lanes are this step's codes the best line's?  Then all is as it
 * was, and nothing better.
 *
 * They are if their sums l and l2 are.  A step's codes do not fall where x
 * grows, and at the largest x two steps are 0.1 of a code apart or more; a
 * line through both has one zero, c, and left and right of it codes differ
 * with one sign each.  So if w * (change of code) and w * (change of its
 * square) both add up to nothing, every change is across the threshold next to
 * the value v at c: else |threshold - v| would make a sum of one sign of those.
 * What rounding hides there, 5e-3 * sw, and weights of sw / 65 or more leave
 * 0.16 about v.  One threshold cannot be crossed both ways, and one way is seen
 * in l.  With 31 codes the roundings would hide more than half a code.
 */
INLINE vm
range_same(const struct tile *t)
{
	return vm_and(vf_eq(t->l, t->from_l), vf_eq(t->l2, t->from_l2));
}

INLINE void
range_choose(const struct walk *k, int n, struct tile *t, vf error)
{
	vf least = error, most = error;
	vm better;

	if (quick(k)) {
		vf slack = range_slack(t, t->b, error);
		vm worse;

		least = error - slack;
		most = error + slack;
		better = vf_lt(most, t->best);
		worse = vm_or(vm_or(vf_le(t->most, least), range_same(t)), vm_not(t->some));
		if (!t->tame || !vm_all(vm_or(better, worse))) {
			least = most = range_errors(k, n, t);
			better = vf_lt(least, t->best);
		}
	} else {
		better = vf_lt(error, t->best);
	}
	better = vm_and(better, t->some);
	t->best = vf_select(better, least, t->best);
	if (quick(k)) {
		t->most = vf_select(better, most, t->most);
		t->from_l = vf_select(better, t->l, t->from_l);
		t->from_l2 = vf_select(better, t->l2, t->from_l2);
	}
	t->scale = vf_select(better, t->a, t->scale);
	t->from_is = vf_select(better, t->is, t->from_is);
	t->from_min = vf_select(better, t->min, t->from_min);
	/* A better min takes part in the steps after it, as it always did. */
	t->min = vf_select(better, t->b, t->min);
}

/* The choice of a tile whose error no loop had room for. */
INLINE void
range_finish(const struct walk *k, int n, struct tile *t)
{
	vf err = vf_set1(0);

	if (!t)
		return;
	for (int i = 0; i < n; i++)
		err = range_add(k, t->w[i], t->a, t->code[i], t->b, t->x[i], err);
	range_choose(k, n, t, err);
}

/*
 * Does this step's line lose in all lanes, whatever its error rounds to?
 *
 * In real numbers the error follows from sums that are there already.  Those
 * are rounded up to 34 times, and so is the error itself: with A = a * a * l2,
 * B = b * b * sw, X = sxx all that is at most 130 * 2^-24 * (A + B + X), by
 * Cauchy's inequality.  Weights that differ much in size, and could vanish
 * beside each other, are left out.
 */
static inline bool
range_loses(const struct walk *k, const struct tile *t, struct sums s)
{
	const vf two = vf_set1(2), aa = t->a * t->a * s.l2, bb = t->b * t->b * t->sw;
	vf r = aa + bb + t->sxx, slack = vf_set1(0x1.4p-17f) * r;
	vm lost;

	r += two * (t->a * (t->b * s.l - s.xl) - t->b * t->sx);
	lost = vf_lt(quick(k) ? t->most : t->best, r - slack);
	if (quick(k))
		lost = vm_or(lost, range_same(t));
	return t->tame && vm_all(lost);
}

/* One step of one tile, and the choice that is left from another's. */
INLINE void
range_step(const struct walk *k, int n, float at, struct tile *t, struct tile *last)
{
	const vf zero = vf_set1(0);
	vf det, error;
	struct sums s;
	vm up;

	range_prepare(k, at, t);
	switch (t->reach) {
	case INSIDE: s = range_pass(k, n, INSIDE, t, last, &error); break;
	case BELOW: s = range_pass(k, n, BELOW, t, last, &error); break;
	case ABOVE: s = range_pass(k, n, ABOVE, t, last, &error); break;
	case ANYWHERE: s = range_pass(k, n, ANYWHERE, t, last, &error); break;
	default: s = range_pass(k, n, BEYOND, t, last, &error); break;
	}
	if (quick(k)) {
		t->l = t->reach == BEYOND ? vf_set1(NAN) : s.l;
		t->l2 = s.l2;
	}
	if (last)
		range_choose(k, n, last, error);

	det = t->sw * s.l2 - s.l * s.l;
	t->some = vf_lt(zero, det);
	t->a = (t->sw * s.xl - t->sx * s.l) / det;
	t->b = (s.l2 * t->sx - s.l * s.xl) / det;
	up = vf_lt(zero, t->b);
	if (vm_any(up)) {
		t->a = vf_select(up, s.xl / s.l2, t->a);
		t->b = vf_select(up, zero, t->b);
	}
	/* Where it pays to look. */
	t->lost = k->weights == BY_SPREAD && at > (float)k->top + 0.55f && range_loses(k, t, s);
}

/* All steps for some tiles that have begun. */
INLINE void
fit_range(const struct walk *k, int n, struct tile *tile, int tiles, struct ranges *out)
{
	/* The two whose errors are to come: a line takes a while. */
	struct tile *one = NULL, *two = NULL;

	for (int s = 0; s <= k->steps; s++) {
		float at = k->first + k->step * (float)s + (float)k->top;

		for (int i = 0; i < tiles; i++) {
			struct tile *t = &tile[i];

			if (t == one || t == two) {
				range_finish(k, n, two);
				range_finish(k, n, one);
				one = two = NULL;
			}
			if (two)
				range_step(k, n, at, t, two);
			else
				range_step(k, n, at, t, NULL);
			two = one;
			one = t->lost ? NULL : t;
		}
	}
	range_finish(k, n, two);
	range_finish(k, n, one);

	for (int i = 0; i < tiles; i++) {
		const struct tile *t = &tile[i];
		const vf zero = vf_set1(0);

		vf_store(out->scale + i * W, vf_select(t->flat, zero, t->scale));
		vf_store(out->min + i * W, -t->min);
		vf_store(out->is + i * W, vf_select(t->flat, zero, t->from_is));
		vf_store(out->base + i * W, t->from_min);
		vf_store(out->weight + i * W, t->sw);
	}
}

/*
 * Of some blocks of 256, groups of n elements; with an imatrix the weights'
 * base is its times the mean square of a block.
 */
INLINE void
range_search(const struct walk *k, int n, const float *x, const float *qw, float base, int blocks,
    struct ranges *found)
{
	struct tile tile[TILES_MAX];
	int groups = blocks * 256 / n, tiles = 0;
	float square[W];

	if (qw) {
		vf sum = vf_set1(0);

		for (int i = 0; i < 256; i += W) {
			vf r[W];

			UNROLL
			for (int b = 0; b < W; b++)
				r[b] = vf_load(x + (b < blocks ? b * 256 : 0) + i);
			vf_transpose(r);
			UNROLL
			for (int b = 0; b < W; b++)
				sum += r[b] * r[b];
		}
		vf_store(square, vf_set1(base) * sum / vf_set1(256));
	}
	for (int g = 0; g < groups; g += W) {
		struct tile *t = &tile[tiles++];
		float lane[W];

		if (qw) {
			for (int i = 0; i < W; i++)
				lane[i] = square[(g + i < groups ? g + i : groups - 1) * n / 256];
			t->base = vf_load(lane);
		}
		range_load(n, x + g * n, qw ? qw + g * n : NULL, groups - g, t);
	}
	for (int i = 0; i < tiles; i++)
		range_begin(k, n, &tile[i]);
	for (int i = 0; i < tiles; i++)
		if (tile[i].reach == INSIDE)
			range_first(k, n, INSIDE, &tile[i]);
		else
			range_first(k, n, BEYOND, &tile[i]);
	fit_range(k, n, tile, tiles, found);
}

/* The codes that group i's search ended with, where its scale became 0. */
static inline void
range_codes(const struct ranges *r, int i, int n, int top, const float *x, uint8_t *code)
{
	for (int j = 0; j < n; j++) {
		float v = r->is[i] * (x[j] - r->base[i]) + 12582912.0f;
		uint32_t u;
		int l;

		memcpy(&u, &v, sizeof u);
		l = (int)(u & 0x7fffff) - 0x400000;
		code[j] = (uint8_t)(l < 0 ? 0 : l > top ? top : l);
	}
}

#endif
