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

#include "range_tile.h"

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
