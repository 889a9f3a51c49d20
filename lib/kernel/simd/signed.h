/* SPDX-License-Identifier: MIT */
/* signed.h -- lib/type/search.c's fit_signed(), and codes for its scales. */
#ifndef KERNEL_SIGNED_H
#define KERNEL_SIGNED_H

#include <stdbool.h>

#include "trials.h"

enum { SPAN = 9, TRIALS = 2 * SPAN + 1 };

INLINE vi
signed_code(int half, vf v)
{
	return vi_max(vi_min(vi_near(v), vi_set1(half - 1)), vi_set1(-half));
}

/* y is x or -x, is is not negative.  Of trial e * SPAN. */
INLINE struct term
signed_term(int half, int e, vf x, vf y, vf w, vf is, vf *turn)
{
	const vf magic = vf_set1(12582912.0f);
	vf r = is * y + magic, l = r - magic;
	struct term t;

	/* The least |is * x| that has the next code: halves go to even. */
	*turn = vi_bits(vf_bits(vf_abs(l) + vf_set1(0.5f)) + (~vf_bits(r) & vi_set1(1)));
	/* |is * x| is not over half - 0.9, half, half + 0.9. */
	if (e > 0)
		l = vf_min(l, vf_set1((float)(half - 1)));
	if (e > 1)
		l = vf_max(l, vf_set1((float)-half));
	t.a = w * x * l;
	t.b = w * l * l;
	return t;
}

/* The sums of the middle trial where something is not finite: NaN has code 0. */
INLINE void
careful(int half, const vf *x, const vf *w, vf is, vf *a, vf *b)
{
	*a = *b = vf_set1(0);
	for (int j = 0; j < LEN; j++) {
		vf l = vi_float(signed_code(half, is * x[j]));

		*a += w[j] * x[j] * l;
		*b += w[j] * l * l;
	}
}

INLINE void
signed_numerators(int half, float *num)
{
	for (int t = 0; t < TRIALS; t++)
		num[t] = (float)half + 0.1f * (float)(t - SPAN);
}

/* A span is from trial 0 to 9, or from 9 to 18: |is * x| grows by less than 1. */
INLINE void
signed_sums(int half, const float *num, const vf *x, const vf *w, struct sums *sums)
{
	vf max = signed_max(LEN, x), amax = vf_abs(max), a[3], b[3], is[3], turn[3][LEN];
	const vi flip = ~vf_bits(max) & vi_set1(INT32_MIN);
	struct term term[3][LEN];

	UNROLL
	for (int e = 0; e < 3; e++) {
		is[e] = vf_set1(num[e * SPAN]) / amax;
		a[e] = b[e] = vf_set1(0);
	}
	for (int j = 0; j < LEN; j++) {
		vf y = vi_bits(vf_bits(x[j]) ^ flip);

		UNROLL
		for (int e = 0; e < 3; e++) {
			term[e][j] = signed_term(half, e, x[j], y, w[j], is[e], &turn[e][j]);
			a[e] += term[e][j].a;
			b[e] += term[e][j].b;
		}
	}
	if (!vm_all(vf_lt(vf_abs(a[1]), vf_set1(INFINITY))))
		careful(half, x, w, vi_bits(vf_bits(is[1]) ^ flip), &a[1], &b[1]);
	UNROLL
	for (int e = 0; e < 3; e++) {
		sums->a[e * SPAN] = a[e];
		sums->b[e * SPAN] = b[e];
	}
	for (int e = 0; e < 2; e++)
		for (int t = e * SPAN + 1; t < (e + 1) * SPAN; t += STEPS) {
			struct steps k;

			steps_init(&k, STEPS, num + t, amax);
			for (int j = 0; j < LEN; j++)
				steps_add(&k, STEPS, x[j], turn[e][j], term[e][j], term[e + 1][j]);
			steps_store(&k, STEPS, sums, t);
		}
	sums->max = max;
}

/*
 * The scales of n times W groups, and in is the inverse scales that gave the
 * codes: infinite where all of a group is zero.
 */
INLINE void
signed_choose(const float *num, int n, const struct sums *k, float *out_scale, float *out_is)
{
	vf scale[SIDES], which[SIDES];

	UNROLL
	for (int i = 0; i < n; i++)
		scale[i] = vf_select(vf_eq(k[i].b[SPAN], vf_set1(0)), vf_set1(0), k[i].a[SPAN] / k[i].b[SPAN]);
	choose(TRIALS, SPAN, num, n, k, scale, which);
	UNROLL
	for (int i = 0; i < n; i++) {
		vm dead = vf_lt(vf_abs(k[i].max), vf_set1(GROUP_EPS));

		vf_store(out_scale + i * W, vf_select(dead, vf_set1(0), scale[i]));
		vf_store(out_is + i * W, vf_select(dead, vf_set1(INFINITY), -which[i] / k[i].max));
	}
}

/* The codes of two groups with scales d, + half. */
INLINE vb
recode(int half, const float *x, const float *d)
{
	vi l[32 / W];

	UNROLL
	for (int j = 0; j < 32; j += W)
		l[j / W] = signed_code(half, vf_load(x + j) / vf_set1(d[j / LEN])) + vi_set1(half);
	return vb_pack(l);
}

/*
 * The same where a scale is 0: those of the search stay, which are the ones at
 * is; if that is infinite 0, if it is NaN those that are left.
 */
static inline vb
recode_left(int half, const float *x, const float *d, const float *is, const uint8_t *left)
{
	uint8_t c[32];
	vi l;

	for (int j = 0; j < 32; j += W) {
		int g = j / LEN;

		if (d[g] != 0)
			l = signed_code(half, vf_load(x + j) / vf_set1(d[g])) + vi_set1(half);
		else if (isinf(is[g]))
			l = vi_set1(0);
		else if (left && isnan(is[g]))
			l = vi_load_u8(left + j);
		else
			l = signed_code(half, vf_set1(is[g]) * vf_load(x + j)) + vi_set1(half);
		vi_store_u8(c + j, l);
	}
	return vb_load(c);
}

#endif
