/* SPDX-License-Identifier: MIT */
/*
 * weighted32.h -- the searches of lib/type/search.c for blocks of 32 with
 * weights: a block a lane, each in the reference's order.
 */
#ifndef KERNEL_WEIGHTED32_H
#define KERNEL_WEIGHTED32_H

#include "vec.h"

enum { N = 32 };

/* W blocks, and how their scale was found: element j of all is x[j]. */
struct lanes {
	vf	x[N], w[N];
};

/* Where there are less than W blocks, the last is repeated. */
static inline void
lanes_load(vf *t, const float *x, size_t blocks)
{
	UNROLL
	for (int j = 0; j < N; j += W) {
		for (size_t b = 0; b < W; b++)
			t[(size_t)j + b] = vf_load(x + N * (b < blocks ? b : blocks - 1) + j);
		vf_transpose(t + j);
	}
}

static inline void
lanes_weigh(struct lanes *g, float sigma2)
{
	for (int j = 0; j < N; j++)
		g->w[j] *= vf_sqrt(vf_set1(sigma2) + g->x[j] * g->x[j]);
}

/* Of the row, in order. */
static inline float
mean_square(const float *x, size_t n)
{
	float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sum / (float)n;
}

static inline vi
signed_code(vf x, vf is, int half)
{
	return vi_max(vi_min(vi_near(is * x), vi_set1(half - 1)), vi_set1(-half));
}

static inline void
signed_sums(const struct lanes *g, vf is, int half, vf *a, vf *b)
{
	vf sa = vf_set1(0), sb = sa;

	for (int j = 0; j < N; j++) {
		vf l = vi_float(signed_code(g->x[j], is, half));

		sa += g->w[j] * g->x[j] * l;
		sb += g->w[j] * l * l;
	}
	*a = sa;
	*b = sb;
}

/* fit_signed(): the scale to keep; codes 0..2 * half - 1 to code. */
static inline vf
fit_signed32(const struct lanes *g, int half, vi *code)
{
	const vf zero = vf_set1(0);
	vf amax = zero, max = zero, a, b, is, best_is, scale, best;
	vm dead;

	for (int j = 0; j < N; j++) {
		vf v = vf_abs(g->x[j]);

		max = vf_select(vf_lt(amax, v), g->x[j], max);
		amax = vf_max(v, amax);
	}
	dead = vf_lt(amax, vf_set1(1e-15f));
	best_is = vf_set1(-(float)half) / max;
	signed_sums(g, best_is, half, &a, &b);
	scale = vf_select(vf_eq(b, zero), zero, a / b);
	best = scale * a;
	for (int t = -9; t <= 9; t++) {
		vm better;

		if (t == 0)
			continue;
		is = vf_set1(-((float)half + 0.1f * (float)t)) / max;
		signed_sums(g, is, half, &a, &b);
		better = vm_and(vf_lt(zero, b), vf_lt(best * b, a * a));
		scale = vf_select(better, a / b, scale);
		best = vf_select(better, scale * a, best);
		best_is = vf_select(better, is, best_is);
	}
	for (int j = 0; j < N; j++)
		code[j] = vi_select(dead, vi_set1(0),
		    signed_code(g->x[j], best_is, half) + vi_set1(half));
	return vf_select(dead, zero, scale);
}

static inline vf
range_code(vf x, vf is, vf min, int top)
{
	return vi_float(vi_max(vi_min(vi_near(is * (x - min)), vi_set1(top)), vi_set1(0)));
}

static inline vf
range_error(const struct lanes *g, const vf *code, vf scale, vf min)
{
	vf sum = vf_set1(0);

	for (int j = 0; j < N; j++) {
		vf diff = scale * code[j] + min - g->x[j];

		sum += g->w[j] * (diff * diff);
	}
	return sum;
}

/* fit_range() in 37 steps: scale and *min to keep, codes 0..top. */
static inline vf
fit_range32(const struct lanes *g, int top, vi *code, vf *out_min)
{
	const vf zero = vf_set1(0);
	vf min = g->x[0], max = min, sw = g->w[0], sx = sw * min, scale, is, best, try[N];
	vf best_is, best_min;
	vm dead;

	for (int j = 1; j < N; j++) {
		min = vf_min(g->x[j], min);
		max = vf_max(g->x[j], max);
		sw += g->w[j];
		sx += g->w[j] * g->x[j];
	}
	min = vf_select(vf_lt(zero, min), zero, min);
	dead = vf_eq(max, min);
	is = vf_set1((float)top) / (max - min);
	scale = vf_set1(1) / is;
	for (int j = 0; j < N; j++)
		try[j] = range_code(g->x[j], is, min, top);
	best = range_error(g, try, scale, min);
	best_is = is;
	best_min = min;
	for (int s = 0; s <= 36; s++) {
		vf sl = zero, sl2 = zero, sxl = zero, det, a, b, err;
		vm up, better;

		is = vf_set1(-0.9f + 0.05f * (float)s + (float)top) / (max - min);
		for (int j = 0; j < N; j++) {
			vf l = range_code(g->x[j], is, min, top), wl = g->w[j] * l;

			try[j] = l;
			sl += wl;
			sl2 += wl * l;
			sxl += wl * g->x[j];
		}
		det = sw * sl2 - sl * sl;
		a = (sw * sxl - sx * sl) / det;
		b = (sl2 * sx - sl * sxl) / det;
		up = vf_lt(zero, b);
		a = vf_select(up, sxl / sl2, a);
		b = vf_select(up, zero, b);
		err = range_error(g, try, a, b);
		better = vm_and(vf_lt(zero, det), vf_lt(err, best));
		best = vf_select(better, err, best);
		best_is = vf_select(better, is, best_is);
		best_min = vf_select(better, min, best_min);
		scale = vf_select(better, a, scale);
		min = vf_select(better, b, min);
	}
	for (int j = 0; j < N; j++)
		code[j] = vi_select(dead, vi_set1(0),
		    vi_trunc(range_code(g->x[j], best_is, best_min, top)));
	*out_min = min;
	return vf_select(dead, zero, scale);
}

#endif
