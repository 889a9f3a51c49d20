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

#include "range.h"

enum { N = 256, BLOCKS = W / 2, GROUPS_MAX = TILES_MAX * W / BLOCKS };

/* The same in each byte of a word. */
#define BYTES(v)	vi_set1((v) * 0x01010101)

struct scales {
	uint16_t	half[W];
	vf		whole;		/* the halves */
	vi		word[GROUPS_MAX / 4];	/* codes, four in a word */
};

/* Lines as they read back, group by group, for whole blocks of codes. */
struct lines {
	float		line[GROUPS_MAX][W], inverse[GROUPS_MAX][W];
	unsigned	zero;		/* bit b: a scale of block b is 0 */
	unsigned	odd;		/* bit b: a half of block b is no number */
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

/* Scales and minima: codes of no more than cap. */
INLINE void
fit_scales(int top, int cap, int groups, bool weighted, const struct ranges *r, int blocks,
    struct scales *s)
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
	s->whole = vf_load_f16(s->half);
	for (int g = 0; g < groups; g++) {
		q[g] = vi_min(q[g], vi_set1(cap));
		s->word[g / 4] = g % 4 ? s->word[g / 4] | q[g] << 8 * (g % 4) : q[g];
	}
}

/* Of codes that were packed and unpacked, four in a word. */
INLINE void
lines_init(struct lines *l, int groups, const struct scales *s, const vi *word)
{
	const vf largest = vf_set1(65504);
	unsigned odd = vm_bits(vm_not(vf_le(vf_abs(s->whole), largest)));

	l->zero = 0;
	for (int g = 0; g < groups; g++) {
		vf v = s->whole * vi_float(vi_shr(word[g / 4], 8 * (g % 4)) & vi_set1(255));

		vf_store(l->line[g], v);
		vf_store(l->inverse[g], vf_inverse(v));
		l->zero |= vm_bits(vf_eq(v, vf_set1(0)));
	}
	l->odd = odd | odd >> BLOCKS;
}

/* As the reference does it. */
INLINE vb
codes_slowly(const struct lines *l, int b, int len, int top, const float *x, int at)
{
	vi q[32 / W];

	UNROLL
	for (int i = 0; i < 32; i += W) {
		int g = (at + i) / len;
		vf min = vf_set1(l->line[g][BLOCKS + b]), scale = vf_set1(l->line[g][b]);

		q[i / W] = vi_near((vf_load(x + at + i) + min) / scale);
		q[i / W] = vi_max(vi_min(q[i / W], vi_set1(top)), vi_set1(0));
	}
	return vb_pack(q);
}

/*
 * The codes of block b, 32 in each of eight vectors.  first: its first group,
 * where a code is what the search left if the scale is 0.
 *
 * x times the inverse is x divided but for the last bits, which matter only
 * where a code is about to turn.
 */
INLINE void
block_codes(const struct lines *l, int b, int len, int top, const float *x, const struct ranges *r,
    int first, vb *code)
{
	const vf magic = vf_set1(12582912.0f), high = vf_set1((float)top + 0.25f), low = vf_set1(-0.25f);
	vf far = vf_set1(0), large = far;

	if (!(l->odd >> b & 1)) {
		UNROLL
		for (int i = 0; i < N; i += 32) {
			vi q[32 / W];

			UNROLL
			for (int j = 0; j < 32; j += W) {
				int g = (i + j) / len;
				vf v = (vf_load(x + i + j) + vf_set1(l->line[g][BLOCKS + b])) *
				    vf_set1(l->inverse[g][b]), y;

				large = vf_absmax(large, v);
				v = vf_max(vf_min(v, high), low);
				y = v + magic;
				far = vf_absmax(far, v - (y - magic));
				q[j / W] = vf_bits(y);
			}
			code[i / 32] = vb_pack(q);
		}
	}
	/* Beyond, near() does not round. */
	if (l->odd >> b & 1 || !vm_all(vm_and(vf_lt(far, vf_set1(0.5f - 0x1p-16f)),
	    vf_lt(large, vf_set1(4e6f)))))
		for (int i = 0; i < N; i += 32)
			code[i / 32] = codes_slowly(l, b, len, top, x, i);
	for (int g = 0; l->zero >> b & 1 && g < N / len; g++)
		if (l->line[g][b] == 0)
			range_codes(r, first + g, len, top, x + g * len, (uint8_t *)code + g * len);
}

#endif
