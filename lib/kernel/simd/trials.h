/* SPDX-License-Identifier: MIT */
/*
 * trials.h -- searches that try some inverse scales and keep the one whose
 * codes fit best, for W groups of elements at once, a group a lane.
 *
 * From one trial to the next few codes change, and over a span of them none
 * changes twice.  So the codes at both ends of a span tell every term there is
 * in it: a trial between compares an element with the point where its code
 * turns, and chooses.  The sums are the reference's, term by term.
 */
#ifndef KERNEL_TRIALS_H
#define KERNEL_TRIALS_H

#include <math.h>

#include "vec.h"

/* As in lib/type: under this a group counts as zero. */
#define GROUP_EPS 1e-15f

enum {
	LEN = 16,		/* elements that tile_load takes */
	MAX_TRIALS = 19,
	SIDES = 4,		/* choices abreast: one alone would wait */
};

/*
 * t[j] is element j of W groups that lie stride apart.  Where there are fewer,
 * the last lanes repeat the first.
 */
INLINE void
tile_load(vf *t, const float *x, size_t stride, size_t groups)
{
	UNROLL
	for (int j = 0; j < LEN; j += W) {
		vf r[W];

		UNROLL
		for (size_t i = 0; i < W; i++)
			r[i] = vf_load(x + (i < groups ? i : 0) * stride + j);
		vf_transpose(r);
		UNROLL
		for (int i = 0; i < W; i++)
			t[j + i] = r[i];
	}
}

/* The first element that is strictly the largest in magnitude. */
INLINE vf
signed_max(int n, const vf *x)
{
	vf amax = vf_set1(0), max = amax;

	for (int j = 0; j < n; j++) {
		vf a = vf_abs(x[j]);

		max = vf_select(vf_lt(amax, a), x[j], max);
		amax = vf_max(a, amax);
	}
	return max;
}

/* Of W blocks of n the sums of squares, each in order. */
INLINE vf
sum_squares(int n, const float *x, size_t blocks)
{
	vf sum = vf_set1(0);

	for (int i = 0; i < n; i += LEN) {
		vf t[LEN];

		tile_load(t, x + i, (size_t)n, blocks);
		for (int j = 0; j < LEN; j++)
			sum += t[j] * t[j];
	}
	return sum;
}

/* What one element adds to the sums, l being what its code stands for. */
struct term {
	vf	a, b;		/* w * x * l, w * l * l in the reference's order */
};

/* What W groups come to at every trial. */
struct sums {
	vf	a[MAX_TRIALS], b[MAX_TRIALS], max;
};

/* Some trials, STEPS at most. */
struct steps {
	vf	is[STEPS], a[STEPS], b[STEPS];
};

/* num: numerators of the inverse scales. */
INLINE void
steps_init(struct steps *k, int n, const float *num, vf amax)
{
	UNROLL
	for (int s = 0; s < n; s++) {
		k->is[s] = vf_set1(num[s]) / amax;
		k->a[s] = k->b[s] = vf_set1(0);
	}
}

/* One element, as it is before its turn and after; turn: the least is * |x|
 * that has turned. */
INLINE void
steps_add(struct steps *k, int n, vf x, vf turn, struct term from, struct term to)
{
	vf ax = vf_abs(x);

	UNROLL
	for (int s = 0; s < n; s++) {
		vm turned = vf_le(turn, k->is[s] * ax);

		k->a[s] += vf_select(turned, to.a, from.a);
		k->b[s] += vf_select(turned, to.b, from.b);
	}
}

INLINE void
steps_store(const struct steps *k, int n, struct sums *sums, int t)
{
	UNROLL
	for (int s = 0; s < n; s++) {
		sums->a[t + s] = k->a[s];
		sums->b[t + s] = k->b[s];
	}
}

/*
 * The scales of the best of the trials, for n times W groups, if which is not
 * NULL also the best one's numerator.  first: the trial that the others have
 * to beat, with its own scale in scale.
 */
INLINE void
choose(int trials, int first, const float *num, int n, const struct sums *k, vf *scale, vf *which)
{
	vf best[SIDES];

	UNROLL
	for (int i = 0; i < n; i++) {
		best[i] = scale[i] * k[i].a[first];
		which[i] = vf_set1(num[first]);
	}
	for (int t = 0; t < trials; t++) {
		if (t == first)
			continue;
		UNROLL
		for (int i = 0; i < n; i++) {
			vf a = k[i].a[t], b = k[i].b[t], s = a / b;
			vm better = vm_and(vf_lt(vf_set1(0), b), vf_lt(best[i] * b, a * a));

			scale[i] = vf_select(better, s, scale[i]);
			best[i] = vf_select(better, s * a, best[i]);
			which[i] = vf_select(better, vf_set1(num[t]), which[i]);
		}
	}
}

#endif
