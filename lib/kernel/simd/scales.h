/* SPDX-License-Identifier: MIT */
/*
 * scales.h -- a block's scales and minima to codes and one float each, for
 * many blocks at once: x[i] holds number i of W lists, list by lane.
 */
#ifndef KERNEL_SCALES_H
#define KERNEL_SCALES_H

#include "vec.h"

/* Without weights: top for the largest.  Codes are bytes, and wrap as they do. */
static inline vf
fit_linear(int top, int n, const vf *x, vi *code)
{
	const vf zero = vf_set1(0), ftop = vf_set1((float)top);
	vf max = zero, is;

	for (int i = 0; i < n; i++)
		max = vf_max(x[i], max);
	is = vf_select(vf_lt(zero, max), ftop / max, zero);
	for (int i = 0; i < n; i++)
		code[i] = vi_near(is * x[i]) & vi_set1(255);
	return max / ftop;
}

/* lib/type/search.c's fit_positive(). */
static inline vf
fit_positive(int top, int n, const vf *x, const vf *w, vi *code)
{
	const vf zero = vf_set1(0), ftop = vf_set1((float)top);
	const vi most = vi_set1(top), byte = vi_set1(255);
	vf max = zero, is, best = zero, a = zero, b = zero, scale, diff;
	vm none;

	for (int i = 0; i < n; i++)
		max = vf_max(x[i], max);
	none = vf_lt(max, vf_set1(1e-15f));
	is = ftop / max;
	scale = vf_set1(1) / is;
	for (int i = 0; i < n; i++) {
		diff = x[i] - scale * vi_float(vi_near(is * x[i]) & byte);
		best += w[i] * diff * diff;
	}
	for (int t = -4; t <= 4; t++) {
		vf is1 = vf_set1(0.1f * (float)t + (float)top) / max, err = zero;
		vm better;

		if (t == 0)
			continue;
		scale = vf_set1(1) / is1;
		for (int i = 0; i < n; i++) {
			diff = x[i] - scale * vi_float(vi_min(vi_near(is1 * x[i]), most));
			err += w[i] * diff * diff;
		}
		better = vf_lt(err, best);
		best = vf_select(better, err, best);
		is = vf_select(better, is1, is);
	}
	for (int i = 0; i < n; i++) {
		vi q = vi_min(vi_near(is * x[i]), most);
		vf l = vi_float(q);

		code[i] = q & byte;
		a += w[i] * x[i] * l;
		b += w[i] * l * l;
	}
	/* A lane that a sweep leaves as it is stays so in the next. */
	for (int sweep = 0; sweep < 5; sweep++) {
		vm changed = vf_lt(zero, zero);

		for (int i = 0; i < n; i++) {
			vf wx = w[i] * x[i], l = vi_float(code[i]);
			vf a1 = a - wx * l, b1 = b - w[i] * l * l;
			vi q = vi_min(vi_near(x[i] * b1 / a1), most);
			vm go = vm_and(vm_and(vf_lt(zero, a1), vf_lt(zero, b1)), vm_not(vi_eq(q, code[i])));

			l = vi_float(q);
			a1 += wx * l;
			b1 += w[i] * l * l;
			go = vm_and(go, vf_lt(a * a * b1, a1 * a1 * b));
			code[i] = vi_select(go, q & byte, code[i]);
			a = vf_select(go, a1, a);
			b = vf_select(go, b1, b);
			changed = vm_or(changed, go);
		}
		if (!vm_any(changed))
			break;
	}
	for (int i = 0; i < n; i++)
		code[i] = vi_select(none, vi_set1(0), code[i]);
	return vf_select(vm_or(none, vm_not(vf_lt(zero, b))), zero, a / b);
}

#endif
