/* SPDX-License-Identifier: MIT */
/*
 * try.c -- scales and minima tried on a group, one a lane, in the order of
 * lib/type/high.c.
 */
#include "simd.h"
#include "vec.h"


INLINE vf
level(const struct levels *l, vf v, const vf *value, const vf *middle)
{
	vf y;

	if (!l->table)
		return vi_float(vi_max(vi_min(vi_near(v), vi_set1(l->high)), vi_set1(l->low)));
	y = value[0];
	UNROLL
	for (int i = 0; i < 15; i++)
		y = vf_select(vf_le(middle[i], v), value[i + 1], y);
	return y;
}

INLINE void
some(const struct levels *l, int n, const float *x, const float *w, struct trials *t, int at)
{
	vf zero = vf_set1(0), scale = vf_load(t->scale + at), min = vf_load(t->min + at);
	vf inverse = vf_select(vf_eq(scale, zero), zero, vf_set1(1) / scale);
	vf err = zero, sl = zero, sll = zero, sxl = zero, value[16], middle[15];

	if (l->table)
		for (int i = 0; i < 16; i++) {
			int k = l->low + i < l->high ? l->low + i : l->high;

			value[i] = vf_set1(l->table[k]);
			if (i > 0)
				middle[i - 1] = vf_set1((l->table[k] + l->table[k - 1]) * 0.5f);
		}
	for (int i = 0; i < n; i++) {
		vf v = vf_set1(x[i]), u = vf_set1(w[i]), y, diff, wl;

		y = level(l, (v + min) * inverse, value, middle);
		diff = v - (scale * y - min);
		wl = u * y;
		err += u * diff * diff;
		sl += wl;
		sll += wl * y;
		sxl += wl * v;
	}
	vf_store(t->err + at, err);
	vf_store(t->l + at, sl);
	vf_store(t->ll + at, sll);
	vf_store(t->xl + at, sxl);
}

void
KERNEL(try)(const struct levels *l, int n, const float *x, const float *w, struct trials *t)
{
	const struct levels plain = { l->low, l->high, NULL };

	for (int i = 0; i < KERNEL_TRIALS; i += W)
		if (l->table)
			some(l, n, x, w, t, i);
		else
			some(&plain, n, x, w, t, i);
}
