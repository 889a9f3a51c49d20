/* SPDX-License-Identifier: MIT */
/*
 * scales.h -- from the lines that range.h found for its groups to what a block
 * holds: two halves, a code for each scale and minimum, and the elements'.
 *
 * BLOCKS at a time.  Lane b of a vector is about the scales of block b, lane
 * BLOCKS + b about its minima.
 */
#ifndef KERNEL_SCALES_H
#define KERNEL_SCALES_H

#include <math.h>

#include "range.h"

enum { N = 256, BLOCKS = W / 2, GROUPS_MAX = TILES_MAX * W / BLOCKS };

struct scales {
	uint8_t		code[GROUPS_MAX][W];
	uint16_t	half[W];
	float		whole[W];	/* the halves */
};

/* Without an imatrix: top for the largest.  Codes are bytes, and wrap. */
INLINE vf
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
INLINE vf
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

/* Scales and minima, from 0 to top if they are not to spill. */
INLINE void
fit_scales(int top, int groups, bool weighted, const struct ranges *r, int blocks, struct scales *s)
{
	float lane[GROUPS_MAX][W], weight[GROUPS_MAX][W];
	vf x[GROUPS_MAX], w[GROUPS_MAX], d;
	vi q[GROUPS_MAX];

	for (int g = 0; g < groups; g++) {
		for (int b = 0; b < BLOCKS; b++) {
			int i = (b < blocks ? b : 0) * groups + g;

			lane[g][b] = r->scale[i];
			lane[g][BLOCKS + b] = r->min[i];
			weight[g][b] = weight[g][BLOCKS + b] = r->weight[i];
		}
		x[g] = vf_load(lane[g]);
		w[g] = vf_load(weight[g]);
	}
	d = weighted ? fit_positive(top, groups, x, w, q) : fit_linear(top, groups, x, q);
	vf_store_f16(s->half, d);
	vf_store(s->whole, vf_load_f16(s->half));
	for (int g = 0; g < groups; g++)
		vi_store_u8(s->code[g], q[g]);
}

/* A block's groups of len, each with its scale and min as they read back. */
struct lines {
	float	scale[GROUPS_MAX], min[GROUPS_MAX];
};

/* As the reference does it. */
INLINE vb
codes_slowly(const struct lines *l, int len, int top, const float *x, int at)
{
	vi q[32 / W];

	UNROLL
	for (int i = 0; i < 32; i += W) {
		int g = (at + i) / len;

		q[i / W] = vi_near((vf_load(x + at + i) + vf_set1(l->min[g])) / vf_set1(l->scale[g]));
		q[i / W] = vi_max(vi_min(q[i / W], vi_set1(top)), vi_set1(0));
	}
	return vb_pack(q);
}

/*
 * The codes of block b, 32 in each of eight vectors; r and first: its groups,
 * the codes of those whose scale is 0 being what the search left.
 *
 * x times the inverse is not x divided, but for all but the last bits, which
 * matter only where a code is about to turn.
 */
INLINE void
block_codes(const struct lines *l, int len, int top, const float *x, const struct ranges *r, int first,
    vb *code)
{
	const vf magic = vf_set1(12582912.0f), high = vf_set1((float)top + 0.25f), low = vf_set1(-0.25f);
	vf far = vf_set1(0);
	bool sure = true, kept = false;

	for (int g = 0; g < N / len; g++) {
		kept |= l->scale[g] == 0;
		/* v under 4194303, so that near() is round; no NaN. */
		sure &= r->most[first + g] + fabsf(l->min[g]) <= 4e6f * l->scale[g] && l->scale[g] < 1e30f;
	}
	if (sure) {
		UNROLL
		for (int i = 0; i < N; i += 32) {
			vi q[32 / W];

			UNROLL
			for (int j = 0; j < 32; j += W) {
				int g = (i + j) / len;
				vf v = (vf_load(x + i + j) + vf_set1(l->min[g])) * vf_set1(1 / l->scale[g]), y;

				v = vf_max(vf_min(v, high), low);
				y = v + magic;
				far = vf_absmax(far, v - (y - magic));
				q[j / W] = vf_bits(y);
			}
			code[i / 32] = vb_pack(q);
		}
		if (vm_all(vf_lt(far, vf_set1(0.5f - 0x1p-16f))))
			return;
	}
	for (int i = 0; i < N; i += 32)
		code[i / 32] = codes_slowly(l, len, top, x, i);
	for (int g = 0; kept && g < N / len; g++)
		if (l->scale[g] == 0)
			range_codes(r, first + g, len, top, x + g * len, (uint8_t *)code + g * len);
}

#endif
