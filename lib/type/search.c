/* SPDX-License-Identifier: MIT */
/*
 * search.c -- find a block's scale and codes.
 *
 * The order of every product and sum is part of the format in practice: files
 * are compared by hash.  Do not "simplify" w * l * x into w * x * l.
 */
#include "search.h"
#include "block.h"

enum { MAX = 32 };

float
signed_max(int n, const float *x)
{
	float amax = 0, max = 0;
	int i;

	for (i = 0; i < n; i++) {
		if (fabsf(x[i]) > amax) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	}
	return max;
}

static float
range_error(const struct walk *k, int n, const float *x, const float *w,
    const uint8_t *code, float scale, float min)
{
	float diff, sum = 0;
	int i;

	for (i = 0; i < n; i++) {
		diff = scale * code[i] + min - x[i];
		diff = k->absolute ? fabsf(diff) : diff * diff;
		sum += w[i] * diff;
	}
	return sum;
}

static void
range_codes(const struct walk *k, int n, const float *x, float is, float min,
    uint8_t *code)
{
	int i;

	for (i = 0; i < n; i++)
		code[i] = (uint8_t)clamp(near(is * (x[i] - min)), 0, k->top);
}

float
fit_range(const struct walk *k, int n, const float *x, const float *w,
    uint8_t *code, float *out_min)
{
	float min = x[0], max = x[0], sw = w[0], sx = w[0] * x[0];
	float top = (float)k->top, scale, is, best, err, a, b, det, wl;
	float sl, sl2, sxl;
	uint8_t try[MAX];
	int i, s;

	for (i = 1; i < n; i++) {
		if (x[i] < min)
			min = x[i];
		if (x[i] > max)
			max = x[i];
		sw += w[i];
		sx += w[i] * x[i];
	}
	if (min > 0)
		min = 0;
	if (max == min) {
		memset(code, 0, (size_t)n);
		*out_min = -min;
		return 0;
	}
	is = top / (max - min);
	scale = 1 / is;
	range_codes(k, n, x, is, min, code);
	best = range_error(k, n, x, w, code, scale, min);

	/* A better min takes part in the steps after it, as it always did. */
	for (s = 0; s <= k->steps; s++) {
		is = (k->first + k->step * (float)s + top) / (max - min);
		range_codes(k, n, x, is, min, try);
		sl = sl2 = sxl = 0;
		for (i = 0; i < n; i++) {
			wl = w[i] * try[i];
			sl += wl;
			sl2 += wl * try[i];
			sxl += wl * x[i];
		}
		det = sw * sl2 - sl * sl;
		if (!(det > 0))
			continue;
		a = (sw * sxl - sx * sl) / det;
		b = (sl2 * sx - sl * sxl) / det;
		if (b > 0) {
			b = 0;
			a = sxl / sl2;
		}
		err = range_error(k, n, x, w, try, a, b);
		if (err < best) {
			memcpy(code, try, (size_t)n);
			best = err;
			scale = a;
			min = b;
		}
	}
	*out_min = -min;
	return scale;
}

/* Codes at one inverse scale, and the sums that give the scale for them. */
static void
signed_codes(int half, int n, const float *x, const float *w, float is,
    uint8_t *code, float *a, float *b)
{
	float wx, wl, sa = 0, sb = 0;
	int i, l;

	for (i = 0; i < n; i++) {
		l = clamp(near(is * x[i]), -half, half - 1);
		code[i] = (uint8_t)(l + half);
		wx = w[i] * x[i];
		wl = w[i] * (float)l;
		sa += wx * (float)l;
		sb += wl * (float)l;
	}
	*a = sa;
	*b = sb;
}

float
fit_signed(int half, int n, const float *x, const float *w, uint8_t *code)
{
	float max = signed_max(n, x), nmax = (float)half;
	float a, b, scale, best;
	uint8_t try[MAX];
	int t;

	if (fabsf(max) < GROUP_EPS) {
		memset(code, 0, (size_t)n);
		return 0;
	}
	signed_codes(half, n, x, w, -nmax / max, code, &a, &b);
	scale = b != 0 ? a / b : 0;
	best = scale * a;
	for (t = -9; t <= 9; t++) {
		if (t == 0)
			continue;
		signed_codes(half, n, x, w, -(nmax + 0.1f * (float)t) / max,
		    try, &a, &b);
		if (b > 0 && a * a > best * b) {
			memcpy(code, try, (size_t)n);
			scale = a / b;
			best = scale * a;
		}
	}
	return scale;
}

float
fit_descent(int half, int n, const float *x, uint8_t *code)
{
	float max = signed_max(n, x), w[MAX], a, b, a1, b1, l;
	int i, new, sweep;
	bool changed;

	if (fabsf(max) < GROUP_EPS) {
		memset(code, 0, (size_t)n);
		return 0;
	}
	for (i = 0; i < n; i++)
		w[i] = x[i] * x[i];
	signed_codes(half, n, x, w, -(float)half / max, code, &a, &b);
	for (sweep = 0; sweep < 5; sweep++) {
		changed = false;
		for (i = 0; i < n; i++) {
			l = (float)(code[i] - half);
			a1 = a - w[i] * x[i] * l;
			if (!(a1 > 0))
				continue;
			b1 = b - w[i] * l * l;
			new = clamp(near(x[i] * b1 / a1), -half, half - 1);
			if (new == code[i] - half)
				continue;
			l = (float)new;
			a1 += w[i] * x[i] * l;
			b1 += w[i] * l * l;
			if (b1 > 0 && a1 * a1 * b > a * a * b1) {
				code[i] = (uint8_t)(new + half);
				a = a1;
				b = b1;
				changed = true;
			}
		}
		if (!changed)
			break;
	}
	return b > 0 ? a / b : 0;
}

/*
 * x may be a little below 0 after all, and then the reference's codes wrap
 * where it keeps them in bytes and do not where it has them at hand.
 */
float
fit_positive(int top, int n, const float *x, const float *w, uint8_t *code)
{
	float max = 0, nmax = (float)top, is, is1, scale, best, err, diff;
	float a, b, a1, b1, l;
	int i, t, q, sweep;
	bool changed;

	for (i = 0; i < n; i++)
		if (x[i] > max)
			max = x[i];
	if (max < GROUP_EPS) {
		memset(code, 0, (size_t)n);
		return 0;
	}
	is = nmax / max;
	scale = 1 / is;
	best = 0;
	for (i = 0; i < n; i++) {
		diff = x[i] - scale * (uint8_t)near(is * x[i]);
		best += w[i] * diff * diff;
	}
	for (t = -4; t <= 4; t++) {
		if (t == 0)
			continue;
		is1 = (0.1f * (float)t + nmax) / max;
		scale = 1 / is1;
		err = 0;
		for (i = 0; i < n; i++) {
			q = near(is1 * x[i]);
			diff = x[i] - scale * (float)(q > top ? top : q);
			err += w[i] * diff * diff;
		}
		if (err < best) {
			best = err;
			is = is1;
		}
	}
	a = b = 0;
	for (i = 0; i < n; i++) {
		q = near(is * x[i]);
		if (q > top)
			q = top;
		code[i] = (uint8_t)q;
		l = (float)q;
		a += w[i] * x[i] * l;
		b += w[i] * l * l;
	}
	for (sweep = 0; sweep < 5; sweep++) {
		changed = false;
		for (i = 0; i < n; i++) {
			l = code[i];
			a1 = a - w[i] * x[i] * l;
			b1 = b - w[i] * l * l;
			if (!(a1 > 0 && b1 > 0))
				continue;
			q = near(x[i] * b1 / a1);
			if (q > top)
				q = top;
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
		if (!changed)
			break;
	}
	return b > 0 ? a / b : 0;
}
